"""Denominators: how to divide by an estimate of E[g²], above all where it is near zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Part
from gradwright.core.ops import exp, log, maximum, softplus, sqrt, where
from gradwright.transforms.moment.moments import Estimate

POSITIVE = (1e-12, math.inf)


@dataclass(frozen=True)
class Denominator(Part):
    """How an update is divided by the root of a moment: a field of ``Precondition``, not a transform."""

    def divide(self, u: Any, estimate: Estimate) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class AddEps(Denominator):
    """u / (√v̂ + ε): Adam's, torch's and optax's."""

    eps: float = 1e-8

    def divide(self, u: Any, estimate: Estimate) -> Any:
        return u / (estimate.root + self.eps)


@dataclass(frozen=True)
class Bare(Denominator):
    """u / √v̂, for moments that cannot be zero."""

    def divide(self, u: Any, estimate: Estimate) -> Any:
        return u / estimate.root


@dataclass(frozen=True)
class EpsHat(Denominator):
    """u √(1 − βᵗ) / (√v + ε): ε is added before the correction, so that it acts as ε / √(1 − βᵗ).

    The short form in section 2 of the Adam paper, and TensorFlow's; also ``torch.optim.RAdam``'s and diffGrad's. With
    β = 0.999 the first step has 31.6 times the ε of ``AddEps``.
    """

    eps: float = 1e-8

    def divide(self, u: Any, estimate: Estimate) -> Any:
        return u * sqrt(estimate.correction) / (estimate.raw_root + self.eps)


@dataclass(frozen=True)
class EpsInside(Denominator):
    """u / (√(v̂ + ε₀) + ε): ε₀ inside the root and not stored, optax's ``eps_root``.

    At a zero moment it is smooth, so that a gradient can pass through the step (meta-learning), and its floor is √ε₀.
    For an ε that is stored in v see :class:`FullPlusEps`.

    Args:
        eps_root: ε₀, inside the root.
        eps: ε, outside.

    >>> from gradwright.core import chain
    >>> from gradwright.transforms import Ema, Full, Precondition, Scale
    >>> adam = chain(Ema(0.9, debias=True), Precondition(Full(0.999), EpsInside(1e-8)), Scale(1e-3))
    """

    eps_root: float = 1e-8
    eps: float = 0.0

    def divide(self, u: Any, estimate: Estimate) -> Any:
        return u / (sqrt(estimate.square + self.eps_root) + self.eps)


@dataclass(frozen=True)
class Floor(Denominator):
    """u / max(√v̂, ε): nothing is added where the moment is large enough (ADOPT)."""

    eps: float = 1e-6

    def divide(self, u: Any, estimate: Estimate) -> Any:
        return u / maximum(estimate.root, self.eps)


@dataclass(frozen=True)
class Softplus(Denominator):
    """Divide by a smooth maximum of the root and zero, softplus(x) = log(1 + e^(s x)) / s, which is at least ln 2 / s.

    u √(1 − βᵗ) / softplus(√v + ε);   u / softplus(√v̂ + ε) with ``corrected``.

    The first is SAdam's: early in training, when √v is still small, the floor holds the steps back. arXiv:1908.00700.

    Args:
        sharpness: s, greater than 0; 50 in the paper, a floor of 0.0139.
        corrected: take the softplus of the corrected root, as Ranger21 does.
        eps: ε; 0 in the paper.
    """

    sharpness: float = 50.0
    corrected: bool = False
    eps: float = 0.0
    bounds: ClassVar = {"sharpness": POSITIVE}

    def divide(self, u: Any, estimate: Estimate) -> Any:
        if self.corrected:
            return u / self._softplus(estimate.root + self.eps)
        return u * sqrt(estimate.correction) / self._softplus(estimate.raw_root + self.eps)

    def _softplus(self, x: Any) -> Any:
        return softplus(self.sharpness * x) / self.sharpness


@dataclass(frozen=True)
class Atan2(Denominator):
    """a · atan2(u, b √v̂): no ε, bounded by a π / 2, and zero where both are zero. arXiv:2407.05872.

    Args:
        a: the scale, greater than 0; a = 4 / π makes the step 1 where u = b √v̂.
        b: the bend, greater than 0; the larger a = b, the closer to plain division.
    """

    a: float = 1.0
    b: float = 1.0
    bounds: ClassVar = {"a": POSITIVE, "b": POSITIVE}

    def divide(self, u: Any, estimate: Estimate) -> Any:
        return self.a * torch.atan2(u, self.b * estimate.root)


@dataclass(frozen=True)
class Power(Denominator):
    """u √(1 − βᵗ) / (√v + ε)^(2 p): between no division, p = 0, and Adam's, p = ½. arXiv:1806.06763.

    Args:
        partial: p, in (0, ½].
        eps: ε, added before the correction, as in :class:`EpsHat`.
    """

    partial: float = 0.25
    eps: float = 1e-8
    bounds: ClassVar = {"partial": (1e-12, 0.5 + 1e-12)}

    def divide(self, u: Any, estimate: Estimate) -> Any:
        return u * sqrt(estimate.correction) / exp(2 * self.partial * log(estimate.raw_root + self.eps))


@dataclass(frozen=True)
class KeepZero(Denominator):
    """Divide as ``of`` does, but leave zero at zero, so that a method without ε has no 0 / 0."""

    of: Denominator

    def divide(self, u: Any, estimate: Estimate) -> Any:
        return where(u == 0, torch.zeros_like(u), self.of.divide(u, estimate))
