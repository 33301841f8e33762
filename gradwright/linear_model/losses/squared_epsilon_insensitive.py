"""Squared ε-insensitive loss, of support vector regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, register


@register("squared_epsilon_insensitive", link="identity")
@dataclass(frozen=True)
class SquaredEpsilonInsensitive(Loss):
    """max(0, |z − y| − ε)²."""

    epsilon: float
    cpp: ClassVar[str] = """
        A r = z - y, m = std::fabs(r) - epsilon; m = m > 0 ? m : A(0);
        l = m * m; g = (r > 0 ? A(2) : A(-2)) * m; h = m > 0 ? A(2) : A(0);"""
    shape: ClassVar[str] = "pieces"
    degree: ClassVar[int] = 2
    pure: ClassVar[bool] = False
    largest: ClassVar[float] = 2.0
    thresholds: ClassVar[tuple[str, ...]] = ("epsilon",)

    def point(self, z, y, u=None):
        r = z - y
        m = np.maximum(np.abs(r) - self.epsilon, 0.0)
        return m * m, 2.0 * np.sign(r) * m, 2.0 * (m > 0)

    def conjugate(self, v, y):
        return v * y + self.epsilon * np.abs(v) + 0.25 * v * v

    def divergence(self, z, v, y):
        r, size = z - y, np.abs(v)
        m = np.maximum(np.abs(r) - self.epsilon, 0.0)
        along = np.where(r > 0, v, -v)
        outside = (m - 0.5 * along) ** 2 + self.epsilon * (size - along)
        return np.where(m > 0, outside, self.epsilon * size - v * r + 0.25 * v * v)

    def margin(self, z, y, u=None):
        return np.maximum(np.abs(z - y) - self.epsilon, 0.0)
