"""UnboundednessTest: when a falling value counts as one that falls without end."""

from __future__ import annotations

import torch

from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.objective import Point

DEEP = 1e15
"""A value this many times its scale at the start below zero is suspicious where x went far too."""

FAR = 1e3
"""x went far where ‖x‖ is this many times max(1, ‖x₀‖)."""

BOTTOMLESS = 1e75
"""A value this many times its scale below zero counts as unbounded wherever x is."""

REPRESENTABLE = 1e-8
"""So does one beyond this part of the largest number of its dtype."""


class UnboundednessTest:
    """Compares values with those at the start, f₀ and ‖g₀‖ max(1, ‖x₀‖), in the function's own units.

    A fall by many orders of magnitude alone proves nothing: −exp(−‖x‖²) from far away falls from almost nothing to −1.
    So x has to go far too, or the fall to be enormous; and nothing is unbounded in a box that is closed on all sides.

    Args:
        point, value: the start.
        box: bounds, where there are any.

    Attributes:
        scale: max(|f₀|, ‖g₀‖ max(1, ‖x₀‖)).
    """

    def __init__(self, point: Point, value: float, box: Bounds | None) -> None:
        size = max(1.0, norm(point.x))
        self.scale = max(abs(value), norm(point.gradient) * size)
        self._far = FAR * size
        self._lowest = REPRESENTABLE * torch.finfo(point.objective.dtype).max / point.objective.unit
        self._closed = box is not None and bool((box.lower.isfinite() & box.upper.isfinite()).all())

    def is_deep(self, value: float) -> bool:
        """Whether the value fell so far that it is suspicious; the verdict where a run cannot go on."""
        return not self._closed and -value > DEEP * self.scale

    def is_bottomless(self, point: Point, value: float) -> bool:
        """Whether this value is that of a function without minimum, as far as one can tell."""
        enormous = -value > min(BOTTOMLESS * self.scale, self._lowest)
        return self.is_deep(value) and (enormous or norm(point.x) > self._far)
