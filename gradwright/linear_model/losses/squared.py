"""Squared loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, register


@register("squared", link="identity")
@dataclass(frozen=True)
class Squared(Loss):
    """½ (z − y)²."""

    cpp: ClassVar[str] = "A r = z - y; l = A(.5) * r * r; g = r; h = 1;"
    shape: ClassVar[str] = "quadratic"
    degree: ClassVar[int] = 2
    pure: ClassVar[bool] = False
    largest: ClassVar[float] = 1.0

    def point(self, z, y, u=None):
        r = z - y
        return 0.5 * r * r, r, np.ones_like(z)

    def conjugate(self, v, y):
        return 0.5 * v * v + v * y

    def divergence(self, z, v, y):
        return 0.5 * (z - y - v) ** 2

    def variance_power(self):
        return 0.0
