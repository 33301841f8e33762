"""Gamma loss, for targets whose spread grows with their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, Targets, register


@register("gamma", link="log")
@dataclass(frozen=True)
class Gamma(Loss):
    """Half the gamma deviance with log link: z + y e⁻ᶻ − log y − 1, for y > 0."""

    targets: ClassVar[Targets] = Targets(float(np.nextafter(0.0, 1.0)), np.inf, "above 0")
    cpp: ClassVar[str] = "A q = y * exp_(-z); l = z + q; g = A(1) - q; h = q;"

    def point(self, z, y, u=None):
        with np.errstate(over="ignore"):
            q = y * np.exp(-z)
        return z + q, 1.0 - q, q

    def least(self, y, s):
        return float(np.sum(s * (np.log(y) + 1.0)))

    def conjugate(self, v, y):
        t = 1.0 - v
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(t > 0, t * np.log(t / y) - t, np.where(t == 0, 0.0, np.inf))

    def start(self, y, s):
        return np.array([np.log(np.average(y, weights=s))])

    def mean(self, z):
        return np.exp(z)

    def variance_power(self):
        return 2.0
