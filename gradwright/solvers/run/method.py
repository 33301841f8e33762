"""Method: an algorithm with its settings, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Callback
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.run.monitor import Monitor


@dataclass(frozen=True)
class Method:
    """An algorithm and its settings. ``solve`` accepts the start first, then every iterate, and returns the status.

    Class attributes:
        needs_curvature: it asks for products with the Hessian.
        takes_bounds: it keeps l ≤ x ≤ u.
        takes_constraints: it satisfies l ≤ c(x) ≤ u.
    """

    needs_curvature: ClassVar[bool] = False
    takes_bounds: ClassVar[bool] = False
    takes_constraints: ClassVar[bool] = False

    def monitor(self, objective: Objective, gtol: float, callback: Callback | None) -> Monitor:
        """What watches a run of this method: what has to vanish at a solution, and what is minimised."""
        return Monitor(objective, gtol, callback)

    def solve(self, objective: Objective, start: Point, monitor: Monitor) -> Status:
        raise NotImplementedError
