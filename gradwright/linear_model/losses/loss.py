"""Losses of linear models: value, slope, curvature and conjugate, and what a certificate may assume.

Every loss is convex in the prediction z and at least zero, so that zero is a lower bound of every objective.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy import ndarray


@dataclass(frozen=True)
class Loss:
    """ℓ(z, y) of one prediction; ``point`` answers arrays of values, slopes and curvatures.

    ``shape`` says how the curvature changes along a direction: ``exponential`` if |ℓ'''| ≤ ℓ'' (it shrinks by at most
    e^−S where predictions move by at most S), ``quadratic`` if it is constant, ``pieces`` if it jumps at kinks.
    """

    name: ClassVar[str]
    shape: ClassVar[str] = "exponential"
    numbers: ClassVar[tuple[str, ...]] = ()
    cpp: ClassVar[str] = ""
    """``point`` in C++: sets l, g and h from z, y, u and the loss's own numbers, all of type A."""
    curvature: ClassVar[float] = 1.0
    """A typical curvature, for the first preconditioner."""

    def abc(self) -> tuple[float, float, float]:
        """The loss's own numbers as kernels take them."""
        given = [float(getattr(self, name)) for name in self.numbers]
        return tuple(given + [0.0] * (3 - len(given)))

    @classmethod
    def header(cls) -> str:
        """The header loss.h of compiled passes."""
        own = "".join(f"A {name} = {letter}; " for name, letter in zip(cls.numbers, "abc"))
        text = Path(__file__).with_name("pointwise.h").read_text(encoding="utf-8")
        return text.replace("{ BODY }", f"{{ {own}{cls.cpp} }}")

    def point(self, z: ndarray, y: ndarray, u: ndarray | None = None) -> tuple[ndarray, ndarray, ndarray]:
        raise NotImplementedError

    def least(self, y: ndarray, s: ndarray) -> float:
        """What ``point`` sums to at the best predictions there are, so that it can be subtracted."""
        return 0.0

    def conjugate(self, v: ndarray, y: ndarray) -> ndarray:
        """ℓ*(v) = max over z of v z − ℓ(z), less the constant of ``least``; infinite outside the domain."""
        raise NotImplementedError

    def margin(self, z: ndarray, y: ndarray, u: ndarray | None = None) -> ndarray:
        """How far each prediction may move before its curvature falls, for losses of pieces."""
        return np.full(z.shape[0], np.inf)

    def start(self, y: ndarray, s: ndarray) -> ndarray:
        """The best constant prediction, near enough to start from; shape (K,)."""
        return np.array([np.average(y, weights=s)])

    def mean(self, z: ndarray) -> ndarray:
        """The expected target at prediction z: the inverse link."""
        return z


def _sigmoid(z: ndarray) -> tuple[ndarray, ndarray]:
    """σ(z) and σ(−z), each to full relative precision."""
    e = np.exp(-np.abs(z))
    q = 1.0 / (1.0 + e)
    return np.where(z >= 0, q, e * q), np.where(z >= 0, e * q, q)


def _xlogx(x: ndarray) -> ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > 0, x * np.log(x), np.where(x == 0, 0.0, np.inf))


@dataclass(frozen=True)
class Logistic(Loss):
    """log(1 + eᶻ) − y z for y in [0, 1]."""

    name: ClassVar[str] = "logistic"
    cpp: ClassVar[str] = """
        A e = exp_(-std::fabs(z)), q = A(1) / (A(1) + e), big = z >= 0 ? q : e * q, small = z >= 0 ? e * q : q;
        l = (z > 0 ? z : A(0)) - y * z + log1p_(e); g = (A(1) - y) * big - y * small; h = big * small;"""
    curvature: ClassVar[float] = 0.25

    def point(self, z, y, u=None):
        up, down = _sigmoid(z)
        value = np.maximum(z, 0.0) - y * z + np.log1p(np.exp(-np.abs(z)))
        return value, (1.0 - y) * up - y * down, up * down

    def conjugate(self, v, y):
        return _xlogx(v + y) + _xlogx(1.0 - v - y)

    def start(self, y, s):
        p = np.average(y, weights=s)
        return np.array([np.log(p / (1 - p)) if 0 < p < 1 else 0.0])

    def mean(self, z):
        return _sigmoid(z)[0]


@dataclass(frozen=True)
class Softmax(Loss):
    """log Σₖ exp zₖ − z_y for labels y in 0 … K−1; ``point`` answers the probabilities in place of a curvature."""

    classes: int
    name: ClassVar[str] = "softmax"
    curvature: ClassVar[float] = 0.25

    @classmethod
    def header(cls) -> str:
        return Path(__file__).with_name("softmax.h").read_text(encoding="utf-8")

    def point(self, z, y, u=None):
        # classes outermost: sums over a few classes are then sums of long rows
        label, row, z = y.astype(np.intp), np.arange(len(z)), np.ascontiguousarray(z.T)
        best = z.argmax(0)
        shifted = z - z[best, row]
        p = np.exp(shifted)
        # the largest term is exactly 1; leaving it out keeps log(1 + rest) exact for confident rows
        p[best, row] = 0.0
        rest = p.sum(0)
        p[best, row] = 1.0
        p *= 1.0 / (1.0 + rest)
        slope = p.copy()
        slope[label, row] = 0.0
        slope[label, row] = -slope.sum(0)
        return np.log1p(rest) - shifted[label, row], slope.T, p.T

    def conjugate(self, v, y):
        p = v.copy()
        p[np.arange(len(v)), y.astype(np.intp)] += 1.0
        return _xlogx(np.where(np.abs(p) < 1e-15, 0.0, p)).sum(1)

    def start(self, y, s):
        share = np.bincount(y.astype(np.intp), weights=s, minlength=self.classes) / s.sum()
        logs = np.log(np.maximum(share, 1e-12))
        return logs - logs.mean()

    def mean(self, z):
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)


@dataclass(frozen=True)
class Squared(Loss):
    """½ (z − y)²."""

    name: ClassVar[str] = "squared"
    cpp: ClassVar[str] = "A r = z - y; l = A(.5) * r * r; g = r; h = 1;"
    shape: ClassVar[str] = "quadratic"

    def point(self, z, y, u=None):
        r = z - y
        return 0.5 * r * r, r, np.ones_like(z)

    def conjugate(self, v, y):
        return 0.5 * v * v + v * y


@dataclass(frozen=True)
class Poisson(Loss):
    """Half the Poisson deviance with log link: eᶻ − y z + y log y − y, for y ≥ 0."""

    name: ClassVar[str] = "poisson"
    cpp: ClassVar[str] = "A m = exp_(z); l = m - y * z; g = m - y; h = m;"

    def point(self, z, y, u=None):
        with np.errstate(over="ignore"):
            m = np.exp(z)
        return m - y * z, m - y, m

    def least(self, y, s):
        return float(np.sum(s * (y - _xlogx(y))))

    def conjugate(self, v, y):
        with np.errstate(invalid="ignore"):
            return _xlogx(v + y) - v - y

    def start(self, y, s):
        return np.array([np.log(max(np.average(y, weights=s), 1e-12))])

    def mean(self, z):
        return np.exp(z)


@dataclass(frozen=True)
class Gamma(Loss):
    """Half the gamma deviance with log link: z + y e⁻ᶻ − log y − 1, for y > 0."""

    name: ClassVar[str] = "gamma"
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


@dataclass(frozen=True)
class Tweedie(Loss):
    """Half the Tweedie deviance of 1 < power < 2 with log link, for y ≥ 0."""

    power: float
    name: ClassVar[str] = "tweedie"
    cpp: ClassVar[str] = """
        A two = A(2) - power, one = A(1) - power, m = exp_(two * z), q = y * exp_(one * z);
        l = m / two - q / one; g = m - q; h = two * m - one * q;"""
    numbers: ClassVar[tuple[str, ...]] = ("power",)

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


@dataclass(frozen=True)
class Huber(Loss):
    """½ r² for |r| ≤ δ, else δ |r| − ½ δ², with r = z − y."""

    delta: float
    name: ClassVar[str] = "huber"
    cpp: ClassVar[str] = """
        A r = z - y, t = std::fabs(r); bool in = t <= delta;
        l = in ? A(.5) * r * r : delta * (t - A(.5) * delta);
        g = in ? r : (r > 0 ? delta : -delta); h = in ? A(1) : A(0);"""
    shape: ClassVar[str] = "pieces"
    numbers: ClassVar[tuple[str, ...]] = ("delta",)

    def point(self, z, y, u=None):
        r = z - y
        inner = np.abs(r) <= self.delta
        value = np.where(inner, 0.5 * r * r, self.delta * (np.abs(r) - 0.5 * self.delta))
        return value, np.clip(r, -self.delta, self.delta), inner.astype(z.dtype)

    def conjugate(self, v, y):
        return np.where(np.abs(v) <= self.delta * (1 + 1e-12), 0.5 * v * v + v * y, np.inf)

    def margin(self, z, y, u=None):
        return np.maximum(self.delta - np.abs(z - y), 0.0)

    def start(self, y, s):
        return np.array([np.median(y)])


@dataclass(frozen=True)
class SquaredHinge(Loss):
    """max(0, 1 − y z)² for y = ±1."""

    name: ClassVar[str] = "squared_hinge"
    cpp: ClassVar[str] = """
        A s = y > 0 ? A(1) : A(-1), m = A(1) - s * z; m = m > 0 ? m : A(0);
        l = m * m; g = A(-2) * s * m; h = m > 0 ? A(2) : A(0);"""
    shape: ClassVar[str] = "pieces"

    def point(self, z, y, u=None):
        m = np.maximum(1.0 - y * z, 0.0)
        return m * m, -2.0 * y * m, 2.0 * (m > 0)

    def conjugate(self, v, y):
        t = v * y
        return np.where(t <= 0, t + 0.25 * t * t, np.inf)

    def margin(self, z, y, u=None):
        return np.maximum(1.0 - y * z, 0.0)

    def start(self, y, s):
        return np.zeros(1)


@dataclass(frozen=True)
class SquaredEpsilonInsensitive(Loss):
    """max(0, |z − y| − ε)²."""

    epsilon: float
    name: ClassVar[str] = "squared_epsilon_insensitive"
    cpp: ClassVar[str] = """
        A r = z - y, m = std::fabs(r) - epsilon; m = m > 0 ? m : A(0);
        l = m * m; g = (r > 0 ? A(2) : A(-2)) * m; h = m > 0 ? A(2) : A(0);"""
    shape: ClassVar[str] = "pieces"
    numbers: ClassVar[tuple[str, ...]] = ("epsilon",)

    def point(self, z, y, u=None):
        r = z - y
        m = np.maximum(np.abs(r) - self.epsilon, 0.0)
        return m * m, 2.0 * np.sign(r) * m, 2.0 * (m > 0)

    def conjugate(self, v, y):
        return v * y + self.epsilon * np.abs(v) + 0.25 * v * v

    def margin(self, z, y, u=None):
        return np.maximum(np.abs(z - y) - self.epsilon, 0.0)


@dataclass(frozen=True)
class Nonsmooth:
    """A loss with kinks: max over v in a box of v (z − y) − ε |v|; solved through its ``Envelope``.

    The hinge (``hinge=True``, y = ±1, boxes [−1, 0] and [0, 1]), the absolute and the ε-insensitive loss (box [−1, 1]).
    """

    epsilon: float = 0.0
    hinge: bool = False
    name: ClassVar[str] = "nonsmooth"

    def box(self, y: ndarray) -> tuple[ndarray, ndarray]:
        if self.hinge:
            return np.where(y > 0, -1.0, 0.0), np.where(y > 0, 0.0, 1.0)
        return np.full(y.shape, -1.0), np.full(y.shape, 1.0)

    def value(self, z: ndarray, y: ndarray) -> ndarray:
        if self.hinge:
            return np.maximum(1.0 - y * z, 0.0)
        return np.maximum(np.abs(z - y) - self.epsilon, 0.0)

    def conjugate(self, v: ndarray, y: ndarray) -> ndarray:
        low, high = self.box(y)
        inside = (v >= low - 1e-12) & (v <= high + 1e-12)
        return np.where(inside, v * y + self.epsilon * np.abs(v), np.inf)


@dataclass(frozen=True)
class Envelope(Loss):
    """The smooth lower bound max over v of v (z − y) − ε |v| − (v − u)² / (2 σ) of a nonsmooth loss, exact at u = v."""

    sigma: float
    epsilon: float = 0.0
    hinge: float = 0.0
    name: ClassVar[str] = "envelope"
    cpp: ClassVar[str] = """
        A r = z - y, t = u + sigma * r, w = std::fabs(t) - sigma * epsilon; w = w > 0 ? (t > 0 ? w : -w) : A(0);
        A low = hinge > 0 && y < 0 ? A(0) : A(-1), high = hinge > 0 && y > 0 ? A(0) : A(1);
        A v = w < low ? low : w > high ? high : w;
        l = v * r - epsilon * std::fabs(v) - (v - u) * (v - u) / (A(2) * sigma);
        g = v; h = (v == w && w != 0) ? sigma : A(0);"""
    shape: ClassVar[str] = "pieces"
    numbers: ClassVar[tuple[str, ...]] = ("sigma", "epsilon", "hinge")

    def point(self, z, y, u=None):
        u = np.zeros_like(y) if u is None else u
        low, high = Nonsmooth(self.epsilon, bool(self.hinge)).box(y)
        t = u + self.sigma * (z - y)
        w = np.sign(t) * np.maximum(np.abs(t) - self.sigma * self.epsilon, 0.0)
        v = np.clip(w, low, high)
        value = v * (z - y) - self.epsilon * np.abs(v) - (v - u) ** 2 / (2.0 * self.sigma)
        return value, v, self.sigma * ((v == w) & (w != 0))

    def margin(self, z, y, u=None):
        u = np.zeros_like(y) if u is None else u
        low, high = Nonsmooth(self.epsilon, bool(self.hinge)).box(y)
        t = u + self.sigma * (z - y)
        w = np.sign(t) * np.maximum(np.abs(t) - self.sigma * self.epsilon, 0.0)
        edge = np.minimum(high - w, w - low)
        if self.epsilon > 0:
            edge = np.minimum(edge, np.abs(w))
        return np.maximum(edge, 0.0) / self.sigma

    def start(self, y, s):
        return np.zeros(1) if self.hinge else np.array([np.median(y)])
