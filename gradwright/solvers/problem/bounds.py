"""Bounds: the box l ≤ x ≤ u."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright.core.warn import warn_user
from gradwright.solvers.linear.vectors import largest_entry
from gradwright.solvers.problem.layout import Layout

MET = 4.0
"""A bound counts as met within this many units of rounding of x."""


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

    def measure(self, x: Tensor, gradient: Tensor, eps: float) -> float:
        """‖g‖∞ without the entries that push against a bound which is met up to rounding: in units of the gradient
        whatever those of x, unlike ‖P(x − g) − x‖∞, which near a bound measures the distance to it instead.

        Args:
            x: inside the box.
            gradient: at x.
            eps: of the precision of x.
        """
        room = torch.where(gradient < 0, self.upper - x, x - self.lower)
        held = room <= MET * eps * x.abs()
        return largest_entry(torch.where(held, 0.0, gradient))

    def clip_start(self, x: Tensor) -> Tensor:
        """The starting point inside the box, with a warning if it was not."""
        inside = self.project(x)
        outside = int((inside != x).sum())
        if outside:
            warn_user(
                f"x0 violates the bounds in {outside} of {x.numel()} entries and moves to the nearest feasible point"
            )
        return inside


def bounds_of(bounds: Any, layout: Layout) -> Bounds | None:
    """The box that ``minimize``'s ``bounds`` describes: (lower, upper), or one of SciPy's forms.

    Raises:
        ValueError: it is none of these, a bound is NaN, a shape is wrong, or a lower bound lies above its upper bound.
    """
    if bounds is None:
        return None
    low, high = _sides(bounds, layout)
    lower = layout.flatten(low, "the lower bound", fill=-torch.inf)
    upper = layout.flatten(high, "the upper bound", fill=torch.inf)
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


def _sides(bounds: Any, layout: Layout) -> tuple[Any, Any]:
    """(lower, upper) as given, out of SciPy's ``Bounds(lb, ub)``, or out of its sequence of (min, max) pairs."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        return _scalar(bounds.lb), _scalar(bounds.ub)
    if not isinstance(bounds, (tuple, list)):
        raise ValueError(f"bounds is a {type(bounds).__name__}; give (lower, upper), each None, a number or like x0")
    if layout.form == "tensor" and len(bounds) == layout.size and all(map(_is_pair, bounds)):
        low = [-torch.inf if pair[0] is None else pair[0] for pair in bounds]
        high = [torch.inf if pair[1] is None else pair[1] for pair in bounds]
        one_reading = len(bounds) != 2 or None in (*bounds[0], *bounds[1]) or bounds[0][1] == bounds[1][0]
        if not one_reading:
            raise ValueError(
                f"bounds={bounds!r} may be (lower, upper) or one (min, max) for each unknown; give tensors: "
                f"(torch.tensor([...]), torch.tensor([...])) for lower and upper"
            )
        return low, high
    if len(bounds) != 2:
        raise ValueError(
            f"bounds has {len(bounds)} entries; give (lower, upper), each None, a number or in the form of x0, or one "
            f"(min, max) for each of the {layout.size} unknowns of a tensor"
        )
    return bounds[0], bounds[1]


def _scalar(side: Any) -> Any:
    """One number for all unknowns, which SciPy holds as an array of one, as a number."""
    return float(side.reshape(())) if getattr(side, "shape", None) == (1,) else side


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(each is None or isinstance(each, (int, float)) for each in value)
    )
