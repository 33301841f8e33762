"""Losses with kinks (hinge, absolute, ε-insensitive) by the method of multipliers on their smooth envelope.

The dual variables u are held in their boxes; each round minimises the envelope around u (a smooth problem of the same
kind) and takes the slopes there as the next u (Rockafellar, Augmented Lagrangians and applications of the proximal
point algorithm, 1976). Slopes are feasible duals, so every round gives a proven gap.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.certificate.dual_of_loss import duality_gap, primal
from gradwright.linear_model.losses import Absolute, Nonsmooth
from gradwright.linear_model.objective import Objective, Problem
from gradwright.linear_model.solvers import least_norm, smooth
from gradwright.linear_model.solvers.budget import Budget

ROUNDS = 60
SHARPEN = 5.0
"""The envelope's stiffness grows by this factor where a round gains too little."""


class Point(NamedTuple):
    """A point with its value, which is at most ``gap`` above the minimum."""

    gap: float
    value: float
    theta: ndarray


def minimize(problem: Problem, W: ndarray, b: ndarray, budget: Budget) -> tuple[ndarray, ndarray, FitResult]:
    """W, b and the certificate of a problem with a ``Nonsmooth`` loss and an L2 penalty, or none."""
    began, tol = time.perf_counter(), budget.tol
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
    best, status, passes, last = Point(np.inf, np.inf, theta), Status.max_iter, 0, np.inf
    # where a round costs next to nothing, go on to the last digits: coefficients of such losses converge late
    goal = min(tol, 1e-13) if objective.design.rows * objective.p**2 <= 1e6 else tol
    stuck = 0
    for _ in range(ROUNDS):
        objective.loss = loss.envelope(sigma)
        inner = min(1e-3, max(0.1 * last, 0.03 * goal)) if np.isfinite(last) else 1e-3
        theta, result = smooth.minimize(objective, theta, Budget(max(inner, 1e-15), budget.max_iter))
        objective.evaluate(theta)
        passes += result.evaluations
        value = primal(loss, objective, theta)
        gap, v = duality_gap(loss, objective, theta, value)
        best = min(best, Point(gap, value, theta), key=lambda point: point.gap)
        problem.multipliers = (v, sigma)
        history.append(Record(best.value, best.gap, 1.0, passes, time.perf_counter() - began))
        if budget.stops(history[-1]):
            status = Status.interrupted
            break
        if result.status == Status.interrupted:
            status = Status.interrupted
            break
        relative = best.gap / max(best.value - best.gap, np.finfo(float).tiny)
        if budget.reached(best.value, best.gap):
            status = Status.converged
        stuck = stuck + 1 if relative > 0.5 * last else 0
        if (status == Status.converged and (relative <= goal or stuck >= 6)) or best.gap == 0:
            status = Status.converged
            break
        if not result.history and relative > 0.9 * last and (sigma > 1e12 or stuck >= 12):
            status = Status.converged if status == Status.converged else Status.float_limit
            break
        if relative > 0.2 * last:
            sigma *= SHARPEN
            fallbacks.append(f"stiffness of the envelope raised to {sigma:.2g}")
        last = min(last, relative)
        u[:] = v
    if isinstance(loss, Absolute) and (status is Status.converged or _interpolates(objective, best)):
        best = _of_least_norm(objective, loss, best, problem.multipliers[0], budget)
    seconds = time.perf_counter() - began
    result = FitResult(status, max(best.value, best.gap), best.gap, history, passes, seconds, fallbacks)
    return *objective.design.weights(best.theta), result


def _of_least_norm(objective: Objective, loss: Nonsmooth, best: Point, v: ndarray, budget: Budget) -> Point:
    """Of several optima that of least norm, if it is proven to be one."""
    objective.u[:] = v
    objective.evaluate(best.theta)
    theta = least_norm.choose(objective, best.theta, v)
    if theta is None:
        return best
    objective.evaluate(theta)
    value = primal(loss, objective, theta)
    gap, _ = duality_gap(loss, objective, theta, value)
    near = _interpolates(objective, Point(gap, value, theta)) and _interpolates(objective, best)
    return Point(gap, value, theta) if near or budget.reached(value, gap) else best


def _interpolates(objective: Objective, point: Point) -> bool:
    """Whether nothing is left of the loss but rounding, so that there is no relative gap."""
    return point.value <= 1e-11 * float(np.abs(objective.y).max(initial=0.0))
