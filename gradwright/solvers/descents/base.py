"""Descent: chooses the direction of a line search, and learns from the step taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.searches.first_step import first_length


class Direction(NamedTuple):
    """A direction d, and the step length to try first."""

    d: Tensor
    first: float = 1.0


@dataclass(frozen=True)
class Descent:
    """A rule for directions. What it remembers is its state, made by ``start``; a rule itself never changes.

    Class attributes:
        needs_curvature: it asks for products with the Hessian.
    """

    needs_curvature: ClassVar[bool] = False

    def start(self, objective: Objective) -> Any:
        """The state before the first step, and after a restart."""
        return None

    def direction(self, state: Any, point: Point) -> Direction:
        """Where to go from ``point``."""
        raise NotImplementedError

    def learn(self, state: Any, old: Point, new: Point, d: Tensor) -> Any:
        """The state after a step from ``old`` to ``new`` along d."""
        return state


def steepest(point: Point) -> Direction:
    """−g, with a first step of :func:`first_length`."""
    return Direction(-point.gradient, first_length(point.x) / norm(point.gradient))
