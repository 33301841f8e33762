"""Poisson loss, for counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, Targets, register
from gradwright.linear_model.losses.maths import divergence, exp_rest, xlogx


@register("poisson", link="log")
@dataclass(frozen=True)
class Poisson(Loss):
    """Half the Poisson deviance with log link: eᶻ − y z + y log y − y, for y ≥ 0."""

    targets: ClassVar[Targets] = Targets(0.0, np.inf, "at least 0", some_above=True)
    cpp: ClassVar[str] = """
        A m = exp_(z), e = exp_rest_(z - log_(y > 0 ? y : A(1)));
        l = y > 0 ? y * e : m; g = m - y; h = m;"""

    def point(self, z, y, u=None):
        with np.errstate(over="ignore"):
            m = np.exp(z)
        # with log y taken off first: sums of large counts would leave few digits of their difference
        value = np.where(y > 0, y * exp_rest(z - np.log(np.where(y > 0, y, 1.0))), m)
        return value, m - y, m

    def slopes(self, z, y, u=None):
        with np.errstate(over="ignore"):
            m = np.exp(z)
        return m - y, m

    def conjugate(self, v, y):
        positive = np.where(y > 0, y, 1.0)
        with np.errstate(invalid="ignore"):
            return np.where(y > 0, divergence(positive, v) + v * np.log(positive), xlogx(v) - v)

    def divergence(self, z, v, y):
        _, slope, m = self.point(z, y)
        return divergence(m, v - slope)

    def start(self, y, s):
        return np.array([np.log(max(np.average(y, weights=s), 1e-12))])

    def mean(self, z):
        return np.exp(z)
