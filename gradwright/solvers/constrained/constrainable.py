"""Constrainable: what methods that take constraints have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.solvers.constrained.constraint import constraints_of
from gradwright.solvers.constrained.constraint_set import ConstraintSet
from gradwright.solvers.constrained.monitor import ConstrainedMonitor
from gradwright.solvers.outcome.trace import Callback
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.objective import Objective
from gradwright.solvers.run.method import Method

CTOL = {torch.float64: 1e-8, torch.float32: 1e-5}


@dataclass(frozen=True)
class Constrainable(Method):
    """A method that takes constraints.

    Args:
        constraints: see :func:`constraints_of`.
        ctol: the violation of a constraint, in its own units, that counts as none; 1e-8 in float64, 1e-5 in float32.
    """

    takes_bounds: ClassVar[bool] = True
    takes_constraints: ClassVar[bool] = True

    constraints: Any = ()
    ctol: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "constraints", constraints_of(self.constraints))
        if self.ctol is not None and not self.ctol >= 0:
            raise ValueError(f"ctol={self.ctol!r} must not be negative; 1e-8 is usual in float64, 1e-5 in float32")

    def monitor(  # type: ignore[override]
        self, objective: Objective, gtol: float, callback: Callback | None
    ) -> ConstrainedMonitor:
        ctol = CTOL.get(objective.dtype, 1e-2) if self.ctol is None else self.ctol
        return ConstrainedMonitor(objective, gtol, ctol, callback)

    def prepared(self, objective: Objective) -> tuple[ConstraintSet, Bounds]:
        """The constraints over this objective's layout, and the box (open where there are no bounds)."""
        layout = objective.source.layout
        zero = objective.work(torch.zeros(layout.size, dtype=layout.dtype, device=layout.device))
        box = objective.box.to(zero) if objective.box is not None else Bounds(zero - math.inf, zero + math.inf)
        return ConstraintSet(self.constraints, layout, objective.work), box
