"""Smooth objectives: preconditioned L-BFGS, then Newton where that is slow or digits run out, up to a certificate."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Status, bounds
from gradwright.linear_model.objective import Objective
from gradwright.linear_model.solvers.budget import Budget
from gradwright.linear_model.solvers.lbfgs import lbfgs
from gradwright.linear_model.solvers.newton import newton
from gradwright.linear_model.solvers.newton_cg import newton_cg
from gradwright.linear_model.solvers.run import Run

NEWTON_AT_ONCE = 5e6
"""Multiplications of one Hessian below which nothing is gained by less than Newton."""
NEWTON_AT_MOST = 2e10


def minimize(objective: Objective, theta: ndarray, budget: Budget) -> tuple[ndarray, FitResult]:
    """The minimum of F from θ.

    Args:
        objective: F.
        theta: start, shape (d + 1, K) or (d, K).
        budget: when to end; iterations are those of all stages together.

    Returns:
        θ and the certificate.
    """
    run = Run(objective, budget, theta)
    rows, size = objective.design.rows, objective.p * objective.K
    cost = rows * size**2
    small = cost <= NEWTON_AT_ONCE or (rows <= 10 * size and cost <= 5e9 and size <= 3000)
    try:
        if not small:
            status = lbfgs(run)
            if status is not None:
                return _end(run, status)
        objective.use(np.float64)
        run.evaluate()
        status = newton(run) if cost <= NEWTON_AT_MOST and size <= 3000 else newton_cg(run)
    except KeyboardInterrupt:
        status = Status.interrupted
    return _end(run, status)


def _end(run: Run, status: Status) -> tuple[ndarray, FitResult]:
    if not np.isfinite(run.gap):
        if run.objective.compute != np.float64 or run.g is None:
            run.objective.use(np.float64)
            run.evaluate()
        run.gap = bounds.fallback(run.objective, run.value, run.g, run.theta)
    return run.theta, run.answer(status)
