"""Portfolio: one method after another, until one converges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from gradwright.solvers.curvature.preconditioners import Jacobi
from gradwright.solvers.descents import BFGS, LBFGS, NewtonCG
from gradwright.solvers.methods.line_search import LineSearch
from gradwright.solvers.methods.trust_region import TrustRegion
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.problem.budget import status_of
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.run.method import Method
from gradwright.solvers.run.monitor import Monitor

AGAIN = (Status.NOISE_FLOOR, Status.STALLED, Status.MAX_ITERATIONS, Status.MAX_EVALUATIONS)
"""Ends after which another method may do better."""

SLOW = (Status.MAX_ITERATIONS, Status.MAX_EVALUATIONS)
"""Ends of a method that was still on its way: the next one takes over where it stood."""

SMALL = 32
"""Unknowns up to which, in low precision, a method that forms the Hessian takes part."""

DENSE = 1000
"""Unknowns up to which the quasi-Newton method keeps a full matrix."""


@dataclass(frozen=True)
class Portfolio(Method):
    """``auto``: one method after another until one converges; the lowest point of all is returned.

    Problems that defeat a method which trusts second derivatives are often easy for one that learns curvature from its
    steps, and the other way round. After a method that is stuck the next one begins anew at x0; one that used up its
    budget while still on its way is taken over where it stands. Each gets an equal share of what is left of ``maxfev``
    and ``maxiter``; where the first converges, as it mostly does, this is that method alone.

    Args:
        methods: None for ``newton-cg``, then ``bfgs`` (``l-bfgs`` from 1,000 unknowns on). In less than float64 and for
            up to 32 unknowns, a trust region with a formed Hessian and Jacobi scaling stands between them: there,
            products along mixed directions lose the small curvatures.
    """

    needs_curvature: ClassVar[bool] = True

    methods: tuple[Method, ...] | None = None

    def __post_init__(self) -> None:
        if self.methods is not None and not self.methods:
            raise ValueError("methods=() is empty; give at least one, or None for the usual ones")

    def solve(self, objective: Objective, start: Point, monitor: Monitor) -> Status:
        methods = self.methods or _usual(objective)
        point, status = start, Status.STALLED
        for index, method in enumerate(methods):
            if index:
                monitor.begin_anew()
                current = monitor.current if status in SLOW else start
                assert current is not None
                point = objective.at(current.x)
            status = _with_share(method, objective, point, monitor, len(methods) - index)
            if status not in AGAIN or monitor.record.is_full:
                break
        return status


def _with_share(method: Method, objective: Objective, start: Point, monitor: Monitor, share: int) -> Status:
    """Run a method on one part in ``share`` of the budget that is left."""
    budget = objective.budget
    maxfev, iterations = budget.limits.maxfev, budget.limits.iterations(objective.size)
    if maxfev is not None:
        maxfev = min(maxfev, objective.nfev + max(1, (maxfev - objective.nfev) // share))
    with budget.narrowed(maxfev, monitor.nit + max(1, math.ceil((iterations - monitor.nit) / share))):
        return status_of(lambda: method.solve(objective, start, monitor))


def _usual(objective: Objective) -> tuple[Method, ...]:
    newton = LineSearch(NewtonCG())
    learning = LineSearch(BFGS() if objective.size <= DENSE else LBFGS())
    if objective.eps > 1e-10 and objective.size <= SMALL:
        return newton, TrustRegion(dense=SMALL, precondition=Jacobi()), learning
    return newton, learning
