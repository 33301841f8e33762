"""L-BFGS-B: limited-memory BFGS inside a box."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Callback
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.quasi_newton.box_model import BoxModel
from gradwright.solvers.quasi_newton.memory import LBFGSMemory
from gradwright.solvers.run.method import Method
from gradwright.solvers.run.monitor import Monitor
from gradwright.solvers.searches import Search, StrongWolfe, search_of
from gradwright.solvers.searches.line import Line


@dataclass(frozen=True)
class LBFGSB(Method):
    """``l-bfgs-b``: generalised Cauchy point, minimum over the free variables, then a search towards it.

    Every evaluated point is feasible. Variables with l = u stay put.

    Args:
        memory: pairs kept.
        search: along d = x̄ − x, never beyond the last feasible α; a :class:`Search` or its name.

    Reference: Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16 (1995); Morales and Nocedal, ACM TOMS 38 (2011).
    """

    takes_bounds: ClassVar[bool] = True

    memory: int = 10
    search: Search = field(default_factory=StrongWolfe)

    def __post_init__(self) -> None:
        object.__setattr__(self, "search", search_of(self.search))

    def monitor(self, objective: Objective, gtol: float, callback: Callback | None, fixed: bool = False) -> Monitor:
        box = _box(objective)

        def measure(point: Point) -> float:
            return box.to(point.x).measure(point.x, point.gradient, objective.eps)

        return Monitor(objective, gtol, callback, measure, fixed=fixed)

    def solve(self, objective: Objective, start: Point, monitor: Monitor) -> Status:
        box = _box(objective).to(start.x)
        point, memory = start, LBFGSMemory(objective.size, self.memory, start.x)
        status = monitor.accept(point)
        while status is None:
            d = self._target(point, memory, box) - point.x
            limit = _room(point.x, d, box)
            line = Line(objective, point, d, limit, box)
            downhill = line.slope < -objective.eps * norm(d) * norm(point.gradient)
            trial = self.search(line, 1.0) if downhill and limit > 0 else None
            if trial is None:
                if any(each.value == -math.inf for each in line.trials.values()):
                    return Status.UNBOUNDED
                if not len(memory):
                    return monitor.blocked(-line.slope, line.agrees())
                memory.clear()
                continue
            memory.push(trial.point.x - point.x, trial.point.gradient - point.gradient, objective.eps)
            point.release()
            point = trial.point
            status = monitor.accept(point)
        return status

    def _target(self, point: Point, memory: LBFGSMemory, box: Bounds) -> Tensor:
        if not len(memory):
            theta = norm(point.gradient) / max(1.0, norm(point.x))  # a first step of ‖x‖, which the box cuts
            nothing = point.x.new_zeros(0, point.x.numel())
            model = BoxModel(point.x, point.gradient, box, theta, nothing, point.x.new_zeros(0, 0))
        else:
            K, newton = memory.middle_inverse().to(point.x), -memory.apply_inverse(point.gradient)
            model = BoxModel(point.x, point.gradient, box, 1 / memory.gamma, memory.columns(), K, newton)
        try:
            return model.subspace(*model.cauchy())
        except torch.linalg.LinAlgError:  # pairs that say the same to the last digit: go on without them
            memory.clear()
            return self._target(point, memory, box)


def _box(objective: Objective) -> Bounds:
    if objective.box is not None:
        return objective.box
    everywhere = torch.full((objective.size,), math.inf, dtype=objective.dtype, device=objective.source.layout.device)
    return Bounds(-everywhere, everywhere)


def _room(x: Tensor, d: Tensor, box: Bounds) -> float:
    """The largest α with x + αd in the box."""
    room = torch.where(d > 0, box.upper - x, box.lower - x)
    share = torch.where(d != 0, room / torch.where(d != 0, d, 1.0), torch.inf)
    return float(share.min())
