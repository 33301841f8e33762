"""Tweedie loss, for amounts that are often exactly zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, Targets, register


@register("tweedie", link="log")
@dataclass(frozen=True)
class Tweedie(Loss):
    """Half the Tweedie deviance of 1 < power < 2 with log link, for y ≥ 0."""

    power: float
    targets: ClassVar[Targets] = Targets(0.0, np.inf, "at least 0", some_above=True)
    cpp: ClassVar[str] = """
        A two = A(2) - power, one = A(1) - power, m = exp_(two * z), q = y * exp_(one * z);
        l = m / two - q / one; g = m - q; h = two * m - one * q;"""

    def point(self, z, y, u=None):
        two, one = 2.0 - self.power, 1.0 - self.power
        with np.errstate(over="ignore"):
            m, q = np.exp(two * z), y * np.exp(one * z)
        return m / two - q / one, m - q, two * m - one * q

    def least(self, y, s):
        two, one = 2.0 - self.power, 1.0 - self.power
        return float(np.sum(s * y**two * (1.0 / two - 1.0 / one)))

    def conjugate(self, v, y):
        # the maximiser solves e^{(2−p)z} − y e^{(1−p)z} = v; the left side rises, so Newton from the right converges
        z = np.log(np.maximum(np.maximum(v, 0.0) + y, 1e-12)) / (2.0 - self.power) + 1.0
        for _ in range(100):
            _, slope, curve = self.point(z, y)
            step = (slope - v) / np.maximum(curve, 1e-300)
            z = z - np.clip(step, -5.0, 5.0)
        value, slope, _ = self.point(z, y)
        ok = np.abs(slope - v) <= 1e-9 * (1.0 + np.abs(v))
        return np.where(ok, v * z - value, np.inf)

    def start(self, y, s):
        return np.array([np.log(max(np.average(y, weights=s), 1e-12))])

    def mean(self, z):
        return np.exp(z)

    def variance_power(self):
        return self.power
