"""Solve: which method a problem is given to."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult
from gradwright.linear_model.data import compiled
from gradwright.linear_model.losses import Nonsmooth
from gradwright.linear_model.objective import Problem
from gradwright.linear_model.solvers import (
    augmented_lagrangian,
    blas,
    live_classes,
    smooth,
    sparse_columns,
    units,
    working_set,
)
from gradwright.linear_model.solvers.budget import Budget


def solve(
    problem: Problem, budget: Budget, start: tuple[ndarray, ndarray] | None = None
) -> tuple[ndarray, ndarray, FitResult]:
    """The minimum of a problem: W (d, K), b (K,) and the certificate.

    Args:
        problem: what is minimised; it keeps what a later fit may start from.
        budget: when to end.
        start: W and b; None for zero weights and the best intercept.

    Raises:
        ValueError: a penalty with kinks beside a nonsmooth loss, or either of them where rows are sharded.
    """
    refuse(problem)
    kept = live_classes.live(problem)
    if kept is not None:
        own = live_classes.reduced(problem, kept)
        answer = solve(own, budget, None if start is None else (start[0][:, kept], start[1][kept]))
        problem.frame = own.frame
        return live_classes.restored(problem, kept, *answer)
    k = units.power(problem)
    if k == 0:
        W, b, result = _solve(problem, budget, start)
    else:
        own, degree = units.smaller(problem, k), problem.loss.degree
        begin = None if start is None else (np.ldexp(start[0], -k), np.ldexp(start[1], -k))
        answer = _solve(own, units.budget(budget, k, degree), begin)
        W, b, result = units.larger(*answer, k, degree, budget.tol)
        problem.frame = own.frame
        if own.multipliers is not None:
            problem.multipliers = own.multipliers[0], float(np.ldexp(own.multipliers[1], -k))
    return W, b, units.checked(W, b, result)


def _solve(
    problem: Problem, budget: Budget, start: tuple[ndarray, ndarray] | None
) -> tuple[ndarray, ndarray, FitResult]:
    W, b = problem.start() if start is None else start
    numpy_passes = compiled.chosen() == "plain" and problem.data.n * problem.data.d * problem.K >= blas.LARGE
    with compiled.one_fit(), nullcontext() if numpy_passes else blas.one_thread():
        if isinstance(problem.loss, Nonsmooth):
            return augmented_lagrangian.minimize(problem, W, b, budget)
        if problem.penalty.has_kinks:
            method = sparse_columns if sparse_columns.suits(problem) else working_set
            return method.minimize(problem, W, b, budget)
        objective = problem.objective(problem.loss)
        theta, result = smooth.minimize(objective, objective.design.theta(W, b), budget)
        return *objective.design.weights(theta), result


def refuse(problem: Problem) -> None:
    """Refuse what no method here can prove."""
    kinks, nonsmooth = problem.penalty.has_kinks, isinstance(problem.loss, Nonsmooth)
    if problem.data.reduce is not None and (kinks or nonsmooth):
        raise ValueError(
            "distributed=True is not available for L1 and group penalties, nor for the hinge, absolute and "
            "epsilon-insensitive losses: each rank would solve a problem of its own. Use an L2 penalty with a "
            "smooth loss, or fit on one rank"
        )
    if nonsmooth and kinks:
        raise ValueError(
            "L1 and group penalties are not available for the hinge, absolute and epsilon-insensitive losses; "
            "use an L2 penalty, or the squared form of the loss"
        )
