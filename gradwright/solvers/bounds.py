"""Bounds: the box l ≤ x ≤ u."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.layout import Layout
from gradwright.solvers.vectors import largest_entry


@dataclass(frozen=True)
class Bounds:
    """lower ≤ x ≤ upper, entry by entry; ±inf where there is no bound. Flat vectors."""

    lower: Tensor
    upper: Tensor

    def to(self, like: Tensor) -> Bounds:
        """In the dtype of a solver's vectors."""
        return Bounds(self.lower.to(like), self.upper.to(like))

    def project(self, x: Tensor) -> Tensor:
        """The nearest point of the box."""
        return torch.minimum(torch.maximum(x, self.lower), self.upper)

    def measure(self, x: Tensor, gradient: Tensor) -> float:
        """‖P(x − g) − x‖∞, which is zero exactly at a stationary point of the box; computed without adding g to x."""
        return largest_entry(torch.minimum(torch.maximum(-gradient, self.lower - x), self.upper - x))

    def clip_start(self, x: Tensor) -> Tensor:
        """The starting point inside the box, with a warning if it was not."""
        inside = self.project(x)
        outside = int((inside != x).sum())
        if outside:
            warnings.warn(
                f"x0 violates the bounds in {outside} of {x.numel()} entries and moves to the nearest feasible point",
                UserWarning,
                stacklevel=3,
            )
        return inside


def bounds_of(bounds: Any, layout: Layout) -> Bounds | None:
    """The box that ``minimize``'s ``bounds`` describes.

    Raises:
        ValueError: it is not a pair, a bound is NaN, a shape is wrong, or a lower bound lies above its upper bound.
    """
    if bounds is None:
        return None
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ValueError("bounds must be a pair (lower, upper); each None, a number, or in the form of x0")
    lower = layout.flatten(bounds[0], "the lower bound", fill=-torch.inf)
    upper = layout.flatten(bounds[1], "the upper bound", fill=torch.inf)
    for name, bound in (("lower", lower), ("upper", upper)):
        if bound.isnan().any():
            raise ValueError(f"the {name} bound is NaN in {int(bound.isnan().sum())} entries; use None or ±inf")
    crossed = (lower > upper).nonzero().flatten()
    if crossed.numel():
        at = int(crossed[0])
        raise ValueError(
            f"the lower bound is above the upper bound in {crossed.numel()} entries, first at entry {at}: "
            f"{float(lower[at])} > {float(upper[at])}; give lower <= upper"
        )
    return Bounds(lower, upper)
