"""Record: the accepted iterates of a run, as the callback sees them and the result tells them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Callback, Iteration
from gradwright.solvers.problem.objective import Objective, Point


class Record:
    """What every run keeps, whatever it minimises and however it judges.

    Args:
        objective: for its counters and limits.
        callback: see :data:`Callback`.

    Attributes:
        trace: an entry for each accepted iterate, the first for the starting point.
    """

    def __init__(self, objective: Objective, callback: Callback | None) -> None:
        self.objective, self.callback = objective, callback
        self.trace: list[Iteration] = []

    @property
    def nit(self) -> int:
        """Iterations so far: accepted iterates without the starting point."""
        return max(len(self.trace) - 1, 0)

    @property
    def is_full(self) -> bool:
        """Whether the iterations allowed by the limits are used up."""
        return self.nit >= self.objective.budget.limits.iterations(self.objective.size)

    def add(self, point: Point, value: float, gradient: float) -> Status | None:
        """Record an accepted iterate; ``STOPPED`` where the callback asks for it.

        Args:
            point: the iterate.
            value: what is minimised, there.
            gradient: the size of what has to vanish.
        """
        unit = self.objective.unit
        entry = Iteration(value * unit, gradient * unit, self.objective.nfev, self.objective.nhev)
        self.trace.append(entry)
        if self.callback is not None:
            try:
                self.callback(self.objective.source.layout.structured(point.flat.clone()), entry)
            except StopIteration:
                return Status.STOPPED
        return None

    def fields(self, point: Point, gradient: Tensor) -> dict[str, Any]:
        """The fields of a result that do not depend on the method: x, jac, counts and trace."""
        objective, layout = self.objective, self.objective.source.layout
        return {
            "x": layout.structured(point.flat.clone()),
            "jac": layout.structured((gradient * objective.unit).to(layout.dtype)),
            "nit": self.nit,
            "nfev": objective.nfev,
            "njev": objective.njev,
            "nhev": objective.nhev,
            "trace": tuple(self.trace),
        }
