"""Logistic loss, of two classes or of shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, Targets, register
from gradwright.linear_model.losses.maths import divergence, sigmoid, xlogx


@register("logistic", link="logit")
@dataclass(frozen=True)
class Logistic(Loss):
    """log(1 + eᶻ) − y z for y in [0, 1]."""

    separable: ClassVar[bool] = True
    targets: ClassVar[Targets] = Targets(0.0, 1.0, "in [0, 1]")
    cpp: ClassVar[str] = """
        A e = exp_(-std::fabs(z)), q = A(1) / (A(1) + e), big = z >= 0 ? q : e * q, small = z >= 0 ? e * q : q;
        l = (z > 0 ? z : A(0)) - y * z + log1p_(e); g = (A(1) - y) * big - y * small; h = big * small;"""
    curvature: ClassVar[float] = 0.25
    steepest: ClassVar[float] = 1.0
    largest: ClassVar[float] = 0.25

    def point(self, z, y, u=None):
        up, down = sigmoid(z)
        value = np.maximum(z, 0.0) - y * z + np.log1p(np.exp(-np.abs(z)))
        return value, (1.0 - y) * up - y * down, up * down

    def conjugate(self, v, y):
        return xlogx(v + y) + xlogx(1.0 - v - y)

    def divergence(self, z, v, y):
        up, down = sigmoid(z)
        change = v - ((1.0 - y) * up - y * down)
        return divergence(up, change) + divergence(down, -change)

    def start(self, y, s):
        p = np.average(y, weights=s)
        return np.array([np.log(p / (1 - p)) if 0 < p < 1 else 0.0])

    def mean(self, z):
        return sigmoid(z)[0]
