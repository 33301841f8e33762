"""Denominators: how to divide by an estimate of E[g²], above all where it is near zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gradwright.core import Part
from gradwright.transforms.moment import Estimate


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
