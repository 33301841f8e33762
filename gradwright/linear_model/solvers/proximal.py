"""L1 and group penalties: Newton steps on a working set of columns, each solved by coordinate descent.

The certificate is a duality gap: slopes of the loss, where unpenalised columns have none left, shrunk until every
column without an L2 penalty is within its L1 penalty, are a feasible dual point (as in Massias, Gramfort and Salmon,
Celer, 2018).
"""

from __future__ import annotations

import time
from itertools import islice

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.losses import Penalty
from gradwright.linear_model.objective import Objective
from gradwright.linear_model.solvers import coordinate_sparse
from gradwright.linear_model.solvers.coordinate import Columns, descend


def frame(problem) -> tuple[ndarray, ndarray]:
    """Shift and scale: large sparse data are not shifted, and columns of a group share a scale."""
    shift, scale = problem.data.shift_and_scale()
    for group in problem.penalty.groups:
        scale[group] = np.exp2(np.round(np.log2(scale[group]).mean()))
    return (shift if dense(problem.data) else np.zeros_like(shift)), scale


def dense(data) -> bool:
    """Whether columns of a working set are held dense and centred: small sparse data gain from that too."""
    return not data.sparse or data.n * data.d <= 4_000_000


def minimize(problem, W: ndarray, b: ndarray, tol: float, max_iter: int, callback=None):
    """W, b and the certificate of a smooth loss with L1, L2 and group penalties."""
    began = time.perf_counter()
    problem.frame = frame(problem)
    objective = problem.objective(problem.loss)
    objective.use(np.float64)
    penalty = problem.penalty.scaled(objective.design.scale)
    theta, d = objective.design.theta(W, b), problem.data.d
    free = np.flatnonzero(
        (objective.ridge[:, 0] == 0) & np.append(penalty.smooth_columns, np.ones(int(objective.design.intercept), bool))
    )
    sweeps = columns = None
    if objective.K == 1 and not penalty.groups and not dense(problem.data) and problem.data.n < 2**31:
        X, *more = islice(problem.data.parts(), 2)
        # chunks that do not fit into memory go the other way
        sweeps = None if more else coordinate_sparse.library()
        columns = None if sweeps is None else coordinate_sparse.Columns(X)
    history: list[Record] = []
    fallbacks: list[str] = []
    lower, status, best, stuck = -np.inf, Status.max_iter, np.inf, 0
    smooth, g = objective.evaluate(theta)
    first, precision = None, 0.1
    lift = 0.0  # least curvature of a row, as a part of its usual size: far from the optimum a model may have none
    for iteration in range(max_iter + 1):
        value = smooth + penalty.kinks(theta)
        first = value if first is None else first
        violation = np.inf if columns is None else penalty.violation(theta, g)
        # where slopes are out of place by a part of their penalty, the gap is not much less a part of the objective
        if columns is None or violation <= 30 * tol or stuck or iteration == max_iter:
            lower = max(lower, _dual(problem, objective, penalty, theta, g, free))
        gap = value - lower
        if gap <= tol * max(value - gap, 0.0) or gap <= 4 * np.finfo(float).eps * first:
            status = Status.converged
            break
        if iteration == max_iter:
            break
        progress = gap if columns is None else violation
        stuck = 0 if progress < 0.9 * best else stuck + 1
        precision = max(precision * 0.3, 1e-6) if stuck else precision
        best = min(best, progress)
        if stuck >= 12:
            status = Status.float_limit
            break
        try:
            if columns is None:
                chosen = _working_set(penalty, theta, g, d)
                delta = _model_step(problem, objective, penalty, theta, g, chosen, precision, gap)
            else:
                # the model is off by the square of what is left, so that more digits of it are worth nothing
                inner = max(min(0.3, 0.5 * precision * violation**2), 2.5 * tol * precision)
                delta = _sparse_step(sweeps, columns, objective, penalty, theta, g, inner, lift)
            step, theta, smooth, g = _take(objective, penalty, theta, smooth, g, delta)
        except KeyboardInterrupt:
            status = Status.interrupted
            break
        count = objective.evaluations + objective.products
        largest = float(penalty.excess(g[:d]).max(initial=0.0))
        history.append(Record(smooth + penalty.kinks(theta), largest, step, count, time.perf_counter() - began))
        if callback is not None and callback(history[-1]):
            status = Status.interrupted
            break
        lift = min(max(1e-3, 30 * lift), 1.0) if step < 0.1 else 0.1 * lift if lift > 1e-4 else 0.0
        if step == 0.0 and columns is not None:
            fallbacks.append(f"no step lowers the objective: curvatures of at least {lift:.0e} of their usual size")
        elif step == 0.0 and precision > 1e-6:
            precision *= 0.01
            fallbacks.append(f"no step lowers the objective: models solved to {precision:.0e} of the gap")
    if not np.isfinite(lower):
        lower = _dual(problem, objective, penalty, theta, g, free)
    value = smooth + penalty.kinks(theta)
    seconds, passes = time.perf_counter() - began, objective.evaluations + objective.products
    bound = max(min(value - lower, value), 0.0)
    kept = int(np.count_nonzero(np.any(theta[:d] != 0, axis=1)))
    notes = [f"{kept} of {d} columns have a coefficient"]
    return *objective.design.weights(theta), FitResult(status, value, bound, history, passes, seconds, fallbacks, notes)


def _dual(problem, objective: Objective, penalty: Penalty, theta, g, free) -> float:
    """A lower bound of the minimum from the slopes at Z."""
    data, loss, Z = problem.data, problem.loss, objective.Z
    x = None
    if len(free):
        x = (
            np.concatenate([objective.design.standard(rows)[:, free] for _, rows in data.dense_blocks()])
            if not (len(free) == 1 and objective.design.intercept)
            else np.ones((data.n, 1))
        )
        Z = _settle(objective, Z, x)
    _, v, _ = loss.rows(Z, problem.y)
    s = objective.row_weights()
    G, _ = objective.design.collect(v * s[:, None])
    part = penalty.feasible(G)
    v, G = v * part, G * part
    conjugate = loss.conjugate(v if objective.K > 1 else v[:, 0], problem.y)
    value = -float(data.sum(np.array([np.sum(np.where(s > 0, s * conjugate, 0.0))]))[0]) - objective.least
    if problem.offset is not None:
        value += float(data.sum(np.array([np.sum(s[:, None] * v * problem.offset)]))[0])
    value -= penalty.conjugate(G)
    return value if np.isfinite(value) else -np.inf


def _settle(objective: Objective, Z: ndarray, x: ndarray) -> ndarray:
    """Predictions after the unpenalised columns x (n, f) alone are brought to their optimum, from Z."""
    Z, loss, y, data = Z.astype(np.float64), objective.loss, objective.y, objective.data
    s, K, f = objective.row_weights(), objective.K, x.shape[1]
    for _ in range(30):
        _, slope, curve = loss.rows(Z, y)
        r = x.T @ (slope * s[:, None])
        H = np.zeros((K, f, K, f))
        for k in range(K):
            for other in range(K):
                h = curve[:, 0] if K == 1 else curve[:, k] * ((k == other) - curve[:, other])
                H[k, :, other] = x.T @ (x * (h * s)[:, None])
        packed = data.sum(np.concatenate([r.ravel(), H.ravel()]))
        r, H = packed[: r.size].reshape(r.shape), packed[r.size :].reshape(K * f, K * f)
        if np.abs(r).max() <= 1e-16:
            break
        step = np.linalg.lstsq(H, r.T.ravel(), rcond=1e-12)[0].reshape(K, f).T
        change = x @ step
        largest = float(np.abs(change).max(initial=0.0))
        Z = Z - change * min(1.0, 2.0 / max(largest, 1e-300))
        if largest <= 1e-15 * max(1.0, float(np.abs(Z).max())):
            break
    return Z


def _working_set(penalty: Penalty, theta: ndarray, g: ndarray, d: int) -> ndarray:
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


def _model_step(problem, objective: Objective, penalty: Penalty, theta, g, chosen, precision, gap) -> ndarray:
    """θ of the quadratic model's minimum over the chosen columns and the intercept, less θ."""
    d, data, K = problem.data.d, problem.data, objective.K
    # columns in no group, then groups, then the intercept
    whole = [group for group in penalty.groups if np.isin(group[0], chosen)]
    order = np.concatenate([chosen[penalty.group_of[chosen] < 0], *whole]).astype(np.intp)
    own = penalty.restricted(order, int(objective.design.intercept))
    if objective.design.intercept:
        order = np.append(order, d)
    columns = _columns(objective, order[order < d])
    h = objective.curvatures(slice(0, data.n))
    s = None
    if K > 1:
        s = objective.row_weights()
        h = h / np.where(s > 0, s, 1.0)[:, None]
    inner = theta[order].copy()
    delta = np.zeros_like(theta)
    tol = precision * precision * max(gap, 0.0) / max(len(order), 1)
    moved, _ = descend(columns, h, s, g[order], own, inner, 300, tol)
    delta[order] = moved
    return delta


def _sparse_step(run, columns, objective: Objective, penalty: Penalty, theta, g, tol: float, lift: float) -> ndarray:
    """The same for sparse X and one prediction a row, over every column that matters, by ``coordinate_sparse``."""
    d, scale = objective.data.d, objective.design.scale
    slope = np.abs(g[:d, 0])
    chosen = np.flatnonzero((theta[:d, 0] != 0) | (slope > penalty.l1) | (penalty.l1 == 0))
    columns.hold(chosen, np.flatnonzero(slope > 0.5 * penalty.l1))
    own = scale[chosen]
    w = theta[chosen, 0] / own
    h = objective.second(slice(0, objective.data.n), 1.0)[0]
    if lift > 0:
        h = np.maximum(h, lift * objective.loss.curvature * objective.row_weights())
    gb = float(g[d, 0]) if objective.design.intercept else 0.0
    free, ridge = objective.design.intercept, objective.ridge[chosen, 0] * own * own
    step, _ = coordinate_sparse.descend(
        run, columns, chosen, h, g[chosen, 0] * own, gb, free, ridge,
        penalty.l1[chosen] * own, w, 300, tol,
    )  # fmt: skip
    delta = np.zeros_like(theta)
    delta[chosen, 0] = w * own - theta[chosen, 0]
    if objective.design.intercept:
        delta[d, 0] = step
    return delta


def _columns(objective: Objective, chosen: ndarray) -> Columns:
    """The chosen columns, scaled, and a column of ones where there is an intercept."""
    data, n = objective.data, objective.data.n
    shift, scale = objective.design.shift, objective.design.scale
    if dense(data):
        x = np.empty((len(chosen) + objective.design.intercept, n))
        for at, rows in data.dense_blocks():
            x[: len(chosen), at] = ((rows[:, chosen] - shift[chosen]) / scale[chosen]).T
        if objective.design.intercept:
            x[-1] = 1.0
        return Columns(np.arange(len(x) + 1, dtype=np.int64) * n, None, x.ravel())
    ptr, rows, values = [np.zeros(1, np.int64)], [], []
    parts = [X[:, chosen] for _, X in data.slices()]
    if len(parts) == 1:
        C = parts[0].tocsc()
    else:
        from scipy.sparse import vstack

        C = vstack(parts).tocsc()
    ptr.append(C.indptr[1:].astype(np.int64))
    rows.append(C.indices.astype(np.int64))
    values.append(C.data.astype(np.float64) / np.repeat(scale[chosen], np.diff(C.indptr)))
    if objective.design.intercept:
        ptr.append(np.array([C.nnz + n], np.int64))
        rows.append(np.arange(n, dtype=np.int64))
        values.append(np.ones(n))
    return Columns(np.concatenate(ptr), np.concatenate(rows), np.concatenate(values))


def _take(objective: Objective, penalty: Penalty, theta, smooth, g, delta):
    """Step 1, or the first half, quarter … that lowers the whole objective enough."""
    before = penalty.kinks(theta)
    promised = float(np.sum(g * delta)) + penalty.kinks(theta + delta) - before
    new = theta + delta
    value, slope = objective.evaluate(new)
    noise = 8 * np.finfo(float).eps * abs(smooth + before)
    if np.isfinite(value) and value + penalty.kinks(new) <= smooth + before + 0.01 * promised + noise:
        return 1.0, new, value, slope
    step, start = 1.0, objective.along(-1.0, new, delta)[0]
    for _ in range(40):
        step *= 0.5
        change = objective.along(step - 1.0, new, delta)[0] - start
        trial = theta + step * delta
        if np.isfinite(change) and change + penalty.kinks(trial) - before <= 0.01 * step * promised:
            value, slope = objective.evaluate(trial)
            if np.isfinite(value):
                return step, trial, value, slope
    value, slope = objective.evaluate(theta)
    return 0.0, theta, value, slope
