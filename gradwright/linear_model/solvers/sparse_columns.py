"""L1 on large sparse X, one prediction a row: Newton steps over every column that matters, the intercept eliminated."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Status
from gradwright.linear_model.objective import Problem
from gradwright.linear_model.solvers import coordinate_sparse, proximal
from gradwright.linear_model.solvers.budget import Budget
from gradwright.linear_model.solvers.coordinate_sparse import Columns
from gradwright.linear_model.solvers.proximal import ProximalRun

SWEEPS = 300
"""Sweeps of one model at most."""


def suits(problem: Problem) -> bool:
    """Whether a problem is of this kind and there is a compiler; chunks, which may not fit into memory, are not."""
    if problem.K > 1 or problem.penalty.groups or proximal.dense(problem.data) or problem.data.n >= 2**31:
        return False
    return len(list(islice(problem.data.parts(), 2))) == 1 and coordinate_sparse.library() is not None


def minimize(problem: Problem, W: ndarray, b: ndarray, budget: Budget) -> tuple[ndarray, ndarray, FitResult]:
    """W, b and the certificate of a smooth loss with L1 and L2 penalties."""
    run = ProximalRun.begin(problem, W, b, budget)
    (X,) = problem.data.parts()
    try:
        status = _iterate(run, coordinate_sparse.library(), Columns(X))
    except KeyboardInterrupt:
        status = Status.interrupted
    return run.answer(status)


def _iterate(run: ProximalRun, library: Any, columns: Columns) -> Status:
    tol = run.budget.tol
    lift = 0.0  # least curvature of a row, as a part of its usual size: far from the optimum a model may have none
    for iteration in range(run.budget.max_iter + 1):
        violation = run.penalty.violation(run.theta, run.g)
        # where slopes are out of place by a part of their penalty, the gap is not much less a part of the objective
        if violation <= 30 * tol or run.stuck or iteration == run.budget.max_iter:
            run.prove()
        if run.met():
            return Status.converged
        if iteration == run.budget.max_iter:
            break
        if run.stalled(violation):
            return Status.float_limit
        # the model is off by the square of what is left, so that more digits of it are worth nothing
        inner = max(min(0.3, 0.5 * run.precision * violation**2), 2.5 * tol * run.precision)
        step = run.move(model_step(run, library, columns, inner, lift))
        if run.record(step):
            return Status.interrupted
        lift = min(max(1e-3, 30 * lift), 1.0) if step < 0.1 else 0.1 * lift if lift > 1e-4 else 0.0
        if step == 0.0:
            run.fallbacks.append(f"no step lowers the objective: curvatures of at least {lift:.0e} of their usual size")
    return Status.max_iter


def model_step(run: ProximalRun, library: Any, columns: Columns, tol: float, lift: float) -> ndarray:
    """θ of the quadratic model's minimum over the columns that matter and the intercept, less θ."""
    objective, penalty, theta, g = run.objective, run.penalty, run.theta, run.g
    d, scale, free = objective.data.d, objective.design.scale, objective.design.intercept
    slope = np.abs(g[:d, 0])
    chosen = np.flatnonzero((theta[:d, 0] != 0) | (slope > penalty.l1) | (penalty.l1 == 0))
    columns.hold(chosen, np.flatnonzero(slope > 0.5 * penalty.l1))
    own = scale[chosen]
    w = theta[chosen, 0] / own
    h = objective.second(slice(0, objective.data.n), 1.0)[0]
    if lift > 0:
        h = np.maximum(h, lift * objective.loss.curvature * objective.row_weights())
    gb = float(g[d, 0]) if free else 0.0
    ridge, l1 = objective.ridge[chosen, 0] * own * own, penalty.l1[chosen] * own
    step, _ = coordinate_sparse.descend(
        library, columns, chosen, h, g[chosen, 0] * own, gb, free, ridge, l1, w, SWEEPS, tol
    )
    delta = np.zeros_like(theta)
    delta[chosen, 0] = w * own - theta[chosen, 0]
    if free:
        delta[d, 0] = step
    return delta
