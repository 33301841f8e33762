"""Gamma loss, for targets whose spread grows with their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, Targets, register
from gradwright.linear_model.losses.maths import divergence, exp_rest


@register("gamma", link="log")
@dataclass(frozen=True)
class Gamma(Loss):
    """Half the gamma deviance with log link: z + y e⁻ᶻ − log y − 1, for y > 0."""

    targets: ClassVar[Targets] = Targets(float(np.nextafter(0.0, 1.0)), np.inf, "above 0")
    cpp: ClassVar[str] = "A q = y * exp_(-z); l = exp_rest_(log_(y) - z); g = A(1) - q; h = q;"

    def point(self, z, y, u=None):
        with np.errstate(over="ignore"):
            q = y * np.exp(-z)
        return exp_rest(np.log(y) - z), 1.0 - q, q

    def slopes(self, z, y, u=None):
        with np.errstate(over="ignore"):
            q = y * np.exp(-z)
        return 1.0 - q, q

    def conjugate(self, v, y):
        return divergence(np.ones_like(y), -v) + v * np.log(y)

    def divergence(self, z, v, y):
        _, slope, q = self.point(z, y)
        return divergence(q, slope - v)

    def expected(self, z):
        return np.ones_like(z)

    def start(self, y, s):
        return np.array([np.log(np.average(y, weights=s))])

    def mean(self, z):
        return np.exp(z)

    def variance_power(self):
        return 2.0
