"""Squared hinge loss, of classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, register


@register("squared_hinge")
@dataclass(frozen=True)
class SquaredHinge(Loss):
    """max(0, 1 − y z)² for y = ±1."""

    cpp: ClassVar[str] = """
        A s = y > 0 ? A(1) : A(-1), m = A(1) - s * z; m = m > 0 ? m : A(0);
        l = m * m; g = A(-2) * s * m; h = m > 0 ? A(2) : A(0);"""
    shape: ClassVar[str] = "pieces"
    largest: ClassVar[float] = 2.0

    def point(self, z, y, u=None):
        m = np.maximum(1.0 - y * z, 0.0)
        return m * m, -2.0 * y * m, 2.0 * (m > 0)

    def conjugate(self, v, y):
        t = v * y
        return np.where(t <= 0, t + 0.25 * t * t, np.inf)

    def divergence(self, z, v, y):
        t, room = v * y, 1.0 - y * z
        found = np.where(room > 0, (np.maximum(room, 0.0) + 0.5 * t) ** 2, t * room + 0.25 * t * t)
        return np.where(t <= 0, found, np.inf)

    def margin(self, z, y, u=None):
        return np.maximum(1.0 - y * z, 0.0)

    def start(self, y, s):
        return np.zeros(1)
