"""Losses with kinks (hinge, absolute, ε-insensitive) by the method of multipliers on their smooth envelope.

The dual variables u are held in their boxes; each round minimises the envelope around u (a smooth problem of the same
kind) and takes the slopes there as the next u (Rockafellar, Augmented Lagrangians and applications of the proximal
point algorithm, 1976). Slopes are feasible duals, so every round gives a proven gap.
"""

from __future__ import annotations

import time

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.solvers import smooth

ROUNDS = 60
SHARPEN = 5.0
"""The envelope's stiffness grows by this factor where a round gains too little."""


def minimize(problem, W: ndarray, b: ndarray, tol: float, max_iter: int, callback=None):
    """W, b and the certificate of a problem with a ``Nonsmooth`` loss and an L2 penalty, or none."""
    began = time.perf_counter()
    loss, y, data = problem.loss, problem.y, problem.data
    u = np.zeros(data.n)
    centre = float(np.median(np.abs(y))) if not loss.hinge else 1.0
    spread = float(np.std(y)) if not loss.hinge else 1.0
    sigma = 1.0 / max(spread, 1e-3 * centre, 1e-12)
    if problem.multipliers is not None and len(problem.multipliers[0]) == data.n:
        u, sigma = np.clip(problem.multipliers[0], *loss.box(y)), problem.multipliers[1]
    history: list[Record] = []
    fallbacks: list[str] = []
    objective = problem.objective(loss.envelope(sigma), u)
    objective.use(np.float64)
    theta = objective.design.theta(W, b)
    best, lower, status, passes, last = (np.inf, theta), 0.0, Status.max_iter, 0, np.inf
    s = objective.row_weights()
    # where a round costs next to nothing, go on to the last digits: coefficients of such losses converge late
    goal = min(tol, 1e-13) if objective.design.rows * objective.p**2 <= 1e6 else tol
    first, stuck = None, 0
    for _ in range(ROUNDS):
        objective.loss = loss.envelope(sigma)
        inner = min(1e-3, max(0.1 * last, 0.03 * goal)) if np.isfinite(last) else 1e-3
        theta, result = smooth.minimize(objective, theta, max(inner, 1e-15), max_iter)
        objective.evaluate(theta)
        passes += result.evaluations
        value, bound, v = _gap(problem, objective, theta, s)
        first = value if first is None else first
        lower = max(lower, bound)
        if value < best[0]:
            best = (value, theta)
        problem.multipliers = (v, sigma)
        gap = best[0] - lower
        history.append(Record(best[0], abs(gap), 1.0, passes, time.perf_counter() - began))
        if callback is not None and callback(history[-1]):
            status = Status.interrupted
            break
        if result.status == Status.interrupted:
            status = Status.interrupted
            break
        relative = gap / max(best[0] - gap, np.finfo(float).tiny)
        if relative <= tol:
            status = Status.converged
        stuck = stuck + 1 if status == Status.converged and relative > 0.5 * last else 0
        if relative <= goal or gap <= 4 * np.finfo(float).eps * first or stuck >= 6:
            status = Status.converged
            break
        if not result.history and relative > 0.9 * last and sigma > 1e12:
            status = Status.float_limit
            break
        if relative > 0.2 * last:
            sigma *= SHARPEN
            fallbacks.append(f"stiffness of the envelope raised to {sigma:.2g}")
        last = min(last, relative)
        u[:] = v
    value, theta = best
    seconds = time.perf_counter() - began
    gap = max(min(value - lower, value), 0.0)
    return *objective.design.weights(theta), FitResult(status, value, gap, history, passes, seconds, fallbacks)


def _gap(problem, objective, theta: ndarray, s: ndarray) -> tuple[float, float, ndarray]:
    """The primal value at θ, a lower bound of the minimum, and the slopes of the envelope at θ."""
    loss, y, data = problem.loss, problem.y, problem.data
    z = objective.Z[:, 0]
    penalty = 0.5 * float(np.sum(objective.ridge * theta * theta))
    primal = float(data.sum(np.array([np.sum(s * loss.value(z, y))]))[0]) + penalty
    _, v, h = objective.loss.rows(objective.Z, y, objective.u)
    v = feasible(problem, objective, v[:, 0], h[:, 0], s)
    if v is None:
        return primal, 0.0, objective.loss.rows(objective.Z, y, objective.u)[1][:, 0]
    dual = float(data.sum(np.array([-np.sum(s * loss.conjugate(v, y))]))[0])
    if problem.offset is not None:
        dual += float(data.sum(np.array([np.sum(s * v * problem.offset[:, 0])]))[0])
    G, _ = objective.design.collect((s * v)[:, None])
    ridge = objective.ridge[: data.d]
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = np.where(ridge > 0, G * G / ridge, 0.0)
    return primal, dual - 0.5 * float(bend.sum()), v


def feasible(problem, objective, v: ndarray, h: ndarray, s: ndarray) -> ndarray | None:
    """v moved, least where its curvature is small, so that unpenalised columns have no slope left; None if that
    fails."""
    data = problem.data
    free = np.flatnonzero(objective.ridge[:, 0] == 0)
    if len(free) == 0:
        return v
    if len(free) > 3000:
        return None
    low, high = problem.loss.box(problem.y)
    inside = ((v > low) & (v < high) & (h > 0)).astype(np.float64)
    for attempt in range(4):
        A, r = np.zeros((len(free), len(free))), np.zeros(len(free))
        for at, rows in data.dense_blocks():
            x = objective.design.standard(rows)[:, free]
            w = s[at] * inside[at]
            A += x.T @ (x * w[:, None])
            r += x.T @ (s[at] * v[at])
        packed = data.sum(np.concatenate([A.ravel(), r]))
        A, r = packed[: A.size].reshape(A.shape), packed[A.size :]
        if np.abs(r).max() <= 1e-15:
            break
        move, *_ = np.linalg.lstsq(A, r, rcond=1e-13)
        moved = v.copy()
        for at, rows in data.dense_blocks():
            moved[at] -= inside[at] * (objective.design.standard(rows)[:, free] @ move)
        out = float(data.sum(np.array([np.sum((moved < low) | (moved > high))]))[0])
        v = np.clip(moved, low, high)
        if out == 0 and attempt >= 1:
            break
        inside = inside * ((v > low) & (v < high))
    G, gb = objective.design.collect((s * v)[:, None])
    left = np.concatenate([G[:, 0], gb])[free] if objective.design.intercept else G[free, 0]
    return v if np.abs(left).max() <= 1e-12 * max(1.0, np.abs(v).max()) else None
