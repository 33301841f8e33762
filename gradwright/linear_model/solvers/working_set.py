"""L1 and group penalties on any X: Newton steps on a working set of columns, each solved by coordinate descent."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Status
from gradwright.linear_model.losses import Penalty
from gradwright.linear_model.objective import Objective, Problem
from gradwright.linear_model.solvers import proximal
from gradwright.linear_model.solvers.budget import Budget
from gradwright.linear_model.solvers.coordinate import Columns, descend
from gradwright.linear_model.solvers.proximal import ProximalRun

SWEEPS = 300
"""Sweeps of one model at most."""


def minimize(problem: Problem, W: ndarray, b: ndarray, budget: Budget) -> tuple[ndarray, ndarray, FitResult]:
    """W, b and the certificate of a smooth loss with L1, L2 and group penalties."""
    run = ProximalRun.begin(problem, W, b, budget)
    try:
        status = _iterate(run)
    except KeyboardInterrupt:
        status = Status.interrupted
    return run.answer(status)


def _iterate(run: ProximalRun) -> Status:
    for iteration in range(run.budget.max_iter + 1):
        run.prove()
        if run.met():
            return Status.converged
        if iteration == run.budget.max_iter:
            break
        if run.stalled(run.gap):
            return Status.float_limit
        chosen = choose(run.penalty, run.theta, run.g, run.objective.data.d)
        step = run.move(model_step(run, chosen))
        if run.record(step):
            return Status.interrupted
        if step == 0.0 and run.precision > 1e-6:
            run.precision *= 0.01
            run.fallbacks.append(f"no step lowers the objective: models solved to {run.precision:.0e} of the gap")
    return Status.max_iter


def choose(penalty: Penalty, theta: ndarray, g: ndarray, d: int) -> ndarray:
    """Columns with a coefficient, without a kink, and the worst violators; groups enter whole."""
    support = np.any(theta[:d] != 0, axis=1) | penalty.smooth_columns
    excess = np.where(support, 0.0, penalty.excess(g[:d]))
    room = max(100, 2 * int(support.sum()))
    worst = np.argsort(-excess, kind="stable")[:room]
    chosen = support.copy()
    chosen[worst[excess[worst] > 0]] = True
    for group in penalty.groups:
        if chosen[group].any():
            chosen[group] = True
    return np.flatnonzero(chosen)


def model_step(run: ProximalRun, chosen: ndarray) -> ndarray:
    """θ of the quadratic model's minimum over the chosen columns and the intercept, less θ."""
    objective, penalty, theta, intercept = run.objective, run.penalty, run.theta, run.objective.design.intercept
    # columns in no group, then groups, then the intercept
    whole = [group for group in penalty.groups if np.isin(group[0], chosen)]
    order = np.concatenate([chosen[penalty.group_of[chosen] < 0], *whole]).astype(np.intp)
    own = penalty.restricted(order, int(intercept))
    columns = columns_of(objective, order)
    if intercept:
        order = np.append(order, objective.data.d)
    h = objective.curvatures(slice(0, objective.data.n))
    s = None
    if objective.K > 1:
        s = objective.row_weights()
        h = h / np.where(s > 0, s, 1.0)[:, None]
    inner = theta[order].copy()
    delta = np.zeros_like(theta)
    tol = run.precision * run.precision * max(run.gap, 0.0) / max(len(order), 1)
    delta[order], _ = descend(columns, h, s, run.g[order], own, inner, SWEEPS, tol)
    return delta


def columns_of(objective: Objective, chosen: ndarray) -> Columns:
    """The chosen columns, scaled, and a column of ones where there is an intercept."""
    data, design, n = objective.data, objective.design, objective.data.n
    shift, scale = design.shift[chosen], design.scale[chosen]
    if proximal.dense(data):
        x = np.empty((len(chosen) + design.intercept, n))
        for at, rows in data.dense_blocks():
            x[: len(chosen), at] = ((rows[:, chosen] - shift) / scale).T
        if design.intercept:
            x[-1] = 1.0
        return Columns(np.arange(len(x) + 1, dtype=np.int64) * n, None, x.ravel())
    parts = [X[:, chosen] for _, X in data.slices()]
    if len(parts) == 1:
        C = parts[0].tocsc()
    else:
        from scipy.sparse import vstack

        C = vstack(parts).tocsc()
    ptr, rows = C.indptr.astype(np.int64), C.indices.astype(np.int64)
    values = C.data.astype(np.float64) / np.repeat(scale, np.diff(C.indptr))
    if not design.intercept:
        return Columns(ptr, rows, values)
    return Columns(
        np.append(ptr, C.nnz + n), np.concatenate([rows, np.arange(n)]), np.concatenate([values, np.ones(n)])
    )
