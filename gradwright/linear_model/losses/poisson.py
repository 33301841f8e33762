"""Poisson loss, for counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, Targets, register
from gradwright.linear_model.losses.maths import xlogx


@register("poisson", link="log")
@dataclass(frozen=True)
class Poisson(Loss):
    """Half the Poisson deviance with log link: eᶻ − y z + y log y − y, for y ≥ 0."""

    targets: ClassVar[Targets] = Targets(0.0, np.inf, "at least 0", some_above=True)
    cpp: ClassVar[str] = "A m = exp_(z); l = m - y * z; g = m - y; h = m;"

    def point(self, z, y, u=None):
        with np.errstate(over="ignore"):
            m = np.exp(z)
        return m - y * z, m - y, m

    def least(self, y, s):
        return float(np.sum(s * (y - xlogx(y))))

    def conjugate(self, v, y):
        with np.errstate(invalid="ignore"):
            return xlogx(v + y) - v - y

    def start(self, y, s):
        return np.array([np.log(max(np.average(y, weights=s), 1e-12))])

    def mean(self, z):
        return np.exp(z)
