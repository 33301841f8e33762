"""Huber loss: squared near zero, absolute beyond a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gradwright.linear_model.losses.loss import Loss, register


@register("huber", link="identity")
@dataclass(frozen=True)
class Huber(Loss):
    """½ r² for |r| ≤ δ, else δ |r| − ½ δ², with r = z − y."""

    delta: float
    cpp: ClassVar[str] = """
        A r = z - y, t = std::fabs(r); bool in = t <= delta;
        l = in ? A(.5) * r * r : delta * (t - A(.5) * delta);
        g = in ? r : (r > 0 ? delta : -delta); h = in ? A(1) : A(0);"""
    shape: ClassVar[str] = "pieces"
    degree: ClassVar[int] = 2
    pure: ClassVar[bool] = False
    largest: ClassVar[float] = 1.0
    thresholds: ClassVar[tuple[str, ...]] = ("delta",)

    def point(self, z, y, u=None):
        r = z - y
        inner = np.abs(r) <= self.delta
        value = np.where(inner, 0.5 * r * r, self.delta * (np.abs(r) - 0.5 * self.delta))
        return value, np.clip(r, -self.delta, self.delta), inner.astype(z.dtype)

    def conjugate(self, v, y):
        return np.where(np.abs(v) <= self.delta, 0.5 * v * v + v * y, np.inf)

    def divergence(self, z, v, y):
        r = z - y
        along, size = np.where(r > 0, v, -v), np.abs(r)
        outside = (self.delta - along) * (size - 0.5 * (self.delta + along))
        found = np.where(size <= self.delta, 0.5 * (r - v) ** 2, outside)
        return np.where(np.abs(v) <= self.delta, found, np.inf)

    def margin(self, z, y, u=None):
        return np.maximum(self.delta - np.abs(z - y), 0.0)

    def start(self, y, s):
        return np.array([np.median(y)])
