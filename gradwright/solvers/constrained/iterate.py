"""Iterate: a point with its constraints, and where iterates are made."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradwright.solvers.constrained.constraint_set import Constrained, ConstraintSet
from gradwright.solvers.linear.vectors import finite, largest_entry
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.objective import Objective, Point


@dataclass(frozen=True)
class Iterate:
    """A point with its constraints."""

    point: Point
    c: Constrained

    @property
    def usable(self) -> bool:
        """Whether everything that a step looks at is finite."""
        return self.point.usable and self.c.finite and finite(self.c.jacobian)

    @property
    def reach(self) -> float:
        """The longest step from here, in the largest entry: so that a flat model gives a finite one."""
        return 1e3 * max(1.0, largest_entry(self.point.x))


@dataclass(frozen=True)
class Problem:
    """minimise f(x) subject to l ≤ c(x) ≤ u and bounds.

    Args:
        objective: f.
        set: c.
        box: the bounds; evaluations stay inside.
    """

    objective: Objective
    set: ConstraintSet
    box: Bounds

    def at(self, x: Tensor) -> Iterate:
        """The nearest point of the box."""
        point = self.objective.at(self.box.project(x))
        return Iterate(point, self.set.at(point.flat))
