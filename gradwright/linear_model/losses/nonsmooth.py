"""Losses with kinks, hinge, absolute and ε-insensitive, and the smooth envelope that they are solved through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from gradwright.linear_model.losses.loss import Loss, Targets, register


def box(y: ndarray, hinge: bool) -> tuple[ndarray, ndarray]:
    """Ends of the slopes v of each row: [−1, 1], for the hinge [−1, 0] where y is 1 and [0, 1] where it is −1."""
    if hinge:
        return np.where(y > 0, -1.0, 0.0), np.where(y > 0, 0.0, 1.0)
    return np.full(y.shape, -1.0), np.full(y.shape, 1.0)


@dataclass(frozen=True)
class Nonsmooth:
    """A loss with kinks: max over v in a box of v (z − y) − ε |v|."""

    name: ClassVar[str]
    link: ClassVar[str | None]
    targets: ClassVar[Targets] = Targets()
    hinge: ClassVar[bool] = False
    degree: ClassVar[int | None] = None
    thresholds: ClassVar[tuple[str, ...]] = ()

    @property
    def width(self) -> float:
        """ε."""
        return 0.0

    def box(self, y: ndarray) -> tuple[ndarray, ndarray]:
        """Ends of the slopes v of each row."""
        return box(y, self.hinge)

    def value(self, z: ndarray, y: ndarray) -> ndarray:
        """ℓ of each row, (n,)."""
        return np.maximum(np.abs(z - y) - self.width, 0.0)

    def conjugate(self, v: ndarray, y: ndarray) -> ndarray:
        """ℓ*(v) = max over z of v z − ℓ(z); infinite outside the box."""
        low, high = self.box(y)
        inside = (v >= low - 1e-12) & (v <= high + 1e-12)
        return np.where(inside, v * y + self.width * np.abs(v), np.inf)

    def divergence(self, z: ndarray, v: ndarray, y: ndarray) -> ndarray:
        """ℓ(z) + ℓ*(v) − z v of each row, (n,): at least 0, without the difference of large numbers."""
        r, (low, high) = z - y, self.box(y)
        along, beyond = np.where(r > 0, v, -v), np.abs(r) - self.width
        outside = beyond * (1.0 - along) + self.width * (np.abs(v) - along)
        found = np.where(beyond > 0, outside, self.width * np.abs(v) - v * r)
        return np.where((v >= low) & (v <= high), found, np.inf)

    def slope(self, z: ndarray, y: ndarray) -> ndarray:
        """ℓ' at z, (n,), of either side at a kink."""
        return np.where(np.abs(z - y) > self.width, np.sign(z - y), 0.0)

    def envelope(self, sigma: float) -> Envelope:
        """The smooth lower bound of stiffness σ."""
        return Envelope(sigma, self.width, float(self.hinge))


@register("hinge")
@dataclass(frozen=True)
class Hinge(Nonsmooth):
    """max(0, 1 − y z) for y = ±1."""

    hinge: ClassVar[bool] = True

    def value(self, z, y):
        return np.maximum(1.0 - y * z, 0.0)

    def divergence(self, z, v, y):
        room, (low, high) = 1.0 - y * z, self.box(y)
        found = np.where(room > 0, (1.0 + v * y) * room, v * y * room)
        return np.where((v >= low) & (v <= high), found, np.inf)

    def slope(self, z, y):
        return np.where(y * z < 1.0, -y, 0.0)


@register("absolute", link="identity")
@dataclass(frozen=True)
class Absolute(Nonsmooth):
    """|z − y|."""

    degree: ClassVar[int | None] = 1


@register("epsilon_insensitive", link="identity")
@dataclass(frozen=True)
class EpsilonInsensitive(Nonsmooth):
    """max(0, |z − y| − ε)."""

    epsilon: float
    degree: ClassVar[int | None] = 1
    thresholds: ClassVar[tuple[str, ...]] = ("epsilon",)

    @property
    def width(self) -> float:
        return self.epsilon


@register("envelope")
@dataclass(frozen=True)
class Envelope(Loss):
    """The smooth lower bound max over v of v (z − y) − ε |v| − (v − u)² / (2 σ) of a nonsmooth loss, exact at u = v."""

    sigma: float
    epsilon: float = 0.0
    hinge: float = 0.0
    cpp: ClassVar[str] = """
        A r = z - y, t = u + sigma * r, w = std::fabs(t) - sigma * epsilon; w = w > 0 ? (t > 0 ? w : -w) : A(0);
        A low = hinge > 0 && y < 0 ? A(0) : A(-1), high = hinge > 0 && y > 0 ? A(0) : A(1);
        A v = w < low ? low : w > high ? high : w;
        l = v * r - epsilon * std::fabs(v) - (v - u) * (v - u) / (A(2) * sigma);
        g = v; h = (v == w && w != 0) ? sigma : A(0);"""
    shape: ClassVar[str] = "pieces"
    pure: ClassVar[bool] = False

    @property
    def largest(self) -> float:
        """The largest curvature."""
        return self.sigma

    def point(self, z, y, u=None):
        u = np.zeros_like(y) if u is None else u
        low, high = box(y, bool(self.hinge))
        t = u + self.sigma * (z - y)
        w = np.sign(t) * np.maximum(np.abs(t) - self.sigma * self.epsilon, 0.0)
        v = np.clip(w, low, high)
        value = v * (z - y) - self.epsilon * np.abs(v) - (v - u) ** 2 / (2.0 * self.sigma)
        return value, v, self.sigma * ((v == w) & (w != 0))

    def margin(self, z, y, u=None):
        u = np.zeros_like(y) if u is None else u
        low, high = box(y, bool(self.hinge))
        t = u + self.sigma * (z - y)
        w = np.sign(t) * np.maximum(np.abs(t) - self.sigma * self.epsilon, 0.0)
        edge = np.minimum(high - w, w - low)
        if self.epsilon > 0:
            edge = np.minimum(edge, np.abs(w))
        return np.maximum(edge, 0.0) / self.sigma

    def start(self, y, s):
        return np.zeros(1) if self.hinge else np.array([np.median(y)])
