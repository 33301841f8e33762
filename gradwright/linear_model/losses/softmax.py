"""Softmax loss: the joint logistic loss of several classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, register
from gradwright.linear_model.losses.maths import divergence, xlogx


@register("softmax")
@dataclass(frozen=True)
class Softmax(Loss):
    """log Σₖ exp zₖ − z_y for labels y in 0 … K−1; ``point`` answers the probabilities in place of a curvature."""

    classes: int
    separable: ClassVar[bool] = True
    curvature: ClassVar[float] = 0.25
    steepest: ClassVar[float] = 2.0
    largest: ClassVar[float] = 1.0

    @classmethod
    def header(cls) -> str:
        return Path(__file__).with_name("softmax.h").read_text(encoding="utf-8")

    def point(self, z, y, u=None):
        # classes outermost: sums over a few classes are then sums of long rows
        label, row, z = y.astype(np.intp), np.arange(len(z)), np.ascontiguousarray(z.T)
        best = z.argmax(0)
        shifted = z - z[best, row]
        p = np.exp(shifted)
        # the largest term is exactly 1; leaving it out keeps log(1 + rest) exact for confident rows
        p[best, row] = 0.0
        rest = p.sum(0)
        p[best, row] = 1.0
        p *= 1.0 / (1.0 + rest)
        slope = p.copy()
        slope[label, row] = 0.0
        slope[label, row] = -slope.sum(0)
        return np.log1p(rest) - shifted[label, row], slope.T, p.T

    def rows(self, Z, y, u=None):
        return self.point(Z.astype(np.float64), y)

    def curved(self, curve, direction):
        return curve * (direction - (curve * direction).sum(1, keepdims=True))

    def second(self, curve, scale):
        k, l = np.tril_indices(curve.shape[1])  # noqa: E741 - the letters of the equation
        q = np.ascontiguousarray(curve.T)
        w = -(q[k] * scale) * q[l]
        w[k == l] += q * scale
        return w

    def conjugate(self, v, y):
        p = v.copy()
        p[np.arange(len(v)), y.astype(np.intp)] += 1.0
        return xlogx(np.where(np.abs(p) < 1e-15, 0.0, p)).sum(1)

    def divergence(self, z, v, y):
        _, slope, p = self.point(z, y)
        return divergence(p, v - slope).sum(1)

    def start(self, y, s):
        share = np.bincount(y.astype(np.intp), weights=s, minlength=self.classes) / s.sum()
        logs = np.log(np.maximum(share, 1e-12))
        return logs - logs.mean()

    def mean(self, z):
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)
