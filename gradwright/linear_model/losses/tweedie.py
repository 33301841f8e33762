"""Tweedie loss, for amounts that are often exactly zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, Targets, register
from gradwright.linear_model.losses.maths import exp_rest


@register("tweedie", link="log")
@dataclass(frozen=True)
class Tweedie(Loss):
    """Half the Tweedie deviance of 1 < power < 2 with log link, for y ≥ 0."""

    power: float
    targets: ClassVar[Targets] = Targets(0.0, np.inf, "at least 0", some_above=True)
    cpp: ClassVar[str] = """
        A two = A(2) - power, one = A(1) - power, m = exp_(two * z), q = y * exp_(one * z);
        A log = log_(y > 0 ? y : A(1)), t = z - log;
        A e = exp_(two * log) * (exp_rest_(two * t) / two - exp_rest_(one * t) / one);
        l = y > 0 ? e : m / two; g = m - q; h = two * m - one * q;"""

    def point(self, z, y, u=None):
        two, one = 2.0 - self.power, 1.0 - self.power
        with np.errstate(over="ignore"):
            m, q = np.exp(two * z), y * np.exp(one * z)
        log = np.log(np.where(y > 0, y, 1.0))
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.exp(two * log) * (exp_rest(two * (z - log)) / two - exp_rest(one * (z - log)) / one)
        return np.where(y > 0, value, m / two), m - q, two * m - one * q

    def expected(self, z):
        return np.exp((2.0 - self.power) * z)

    def conjugate(self, v, y):
        z, off = self._maximiser(v, y)
        return np.where(np.isfinite(off), v * z - self.point(z, y)[0] + off, np.inf)

    def divergence(self, z, v, y):
        best, off = self._maximiser(v, y)
        with np.errstate(over="ignore", invalid="ignore"):
            here, there = self.point(z, y)[0], self.point(best, y)[0]
            rounding = 16 * np.finfo(float).eps * (here + there + np.abs(v * z) + np.abs(v * best))
            found = np.maximum(here - there - v * (z - best), 0.0) + off + rounding
        return np.where(np.isfinite(off), found, np.inf)

    def _maximiser(self, v, y):
        """The z that maximises v z − ℓ(z), and how much more than there it may be at most."""
        # it solves e^{(2−p)z} − y e^{(1−p)z} = v; the left side rises, so Newton from the right converges
        z = np.log(np.maximum(np.maximum(v, 0.0) + y, 1e-12)) / (2.0 - self.power) + 1.0
        for _ in range(100):
            _, slope, curve = self.point(z, y)
            step = np.clip((slope - v) / np.maximum(curve, 1e-300), -5.0, 5.0)
            z = z - step
            if np.abs(step).max(initial=0.0) <= 1e-15 * max(1.0, np.abs(z).max(initial=0.0)):
                break
        _, slope, curve = self.point(z, y)
        short = np.abs(slope - v) + 8 * np.finfo(float).eps * (np.abs(slope) + np.abs(v) + curve)
        # within half a curvature's reach the curvature is at least half of what it is here
        near = short <= 0.25 * curve
        return z, np.where(near, short * short / np.where(near, curve, 1.0), np.inf)

    def start(self, y, s):
        return np.array([np.log(max(np.average(y, weights=s), 1e-12))])

    def mean(self, z):
        return np.exp(z)

    def variance_power(self):
        return self.power
