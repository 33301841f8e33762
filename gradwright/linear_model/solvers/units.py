"""Units: targets so large or small that their squares leave the range of float64 are solved in units of their own.

A loss of degree k has ℓ(c z, c y) = cᵏ ℓ(z, y), so that a fit to c y has the coefficients c W and the objective cᵏ F.
c is a power of two, by which numbers are multiplied without rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.objective import Problem
from gradwright.linear_model.solvers.budget import Budget

USUAL = 200
"""Targets between 2 to this power and one over it are taken as they are."""


def power(problem: Problem) -> int:
    """k, for targets of about 2ᵏ that need units of their own; 0 for all others."""
    if problem.loss.degree is None:
        return 0
    peak = float(np.abs(problem.y).max(initial=0.0))
    if problem.offset is not None:
        peak = max(peak, float(np.abs(problem.offset).max(initial=0.0)))
    # the same on every process, and by no more than their number too large
    parts = problem.data.sum(np.array([np.frexp(peak)[1] * (peak > 0), peak > 0], np.float64))
    k = int(parts[0] / max(parts[1], 1.0))
    return k if abs(k) > USUAL else 0


def smaller(problem: Problem, k: int) -> Problem:
    """The problem with targets divided by 2ᵏ."""
    loss, penalty, degree = problem.loss, problem.penalty, problem.loss.degree
    unit = float(np.ldexp(1.0, -k))
    with np.errstate(over="ignore", under="ignore"):
        loss = replace(loss, **{name: getattr(loss, name) * unit for name in loss.thresholds})
        if degree == 2:
            penalty = replace(penalty, l1=penalty.l1 * unit, gamma=[gamma * unit for gamma in penalty.gamma])
        else:
            penalty = replace(penalty, l2=penalty.l2 / unit)
        kept = problem.multipliers
        return replace(
            problem,
            loss=loss,
            penalty=penalty,
            y=np.ldexp(problem.y, -k),
            offset=None if problem.offset is None else np.ldexp(problem.offset, -k),
            multipliers=None if kept is None else (kept[0], kept[1] / unit),
        )


def budget(given: Budget, k: int, degree: int) -> Budget:
    """A budget whose callback sees objectives in units of y."""
    if given.callback is None:
        return given
    return replace(given, callback=lambda record: given.callback(_record(record, k * degree)))


def larger(
    W: ndarray, b: ndarray, result: FitResult, k: int, degree: int, tol: float
) -> tuple[ndarray, ndarray, FitResult]:
    """The answer in units of y."""
    scale = k * degree
    with np.errstate(over="ignore", under="ignore"):
        gap = float(np.ldexp(result.gap_bound, scale))
        if gap == 0 and result.gap_bound > 0:
            gap = float(np.nextafter(0.0, 1.0))
        objective = max(float(np.ldexp(result.objective, scale)), gap)
        # what has lost its digits below the smallest number proves nothing of the sort any more
        lost = result.status is Status.converged and gap > tol * objective
        history = [_record(record, scale) for record in result.history]
        return (
            np.ldexp(W, k),
            np.ldexp(b, k),
            replace(
                result,
                status=Status.overflow if lost else result.status,
                objective=objective,
                gap_bound=gap,
                history=history,
            ),
        )


def _record(record: Record, scale: int) -> Record:
    with np.errstate(over="ignore", under="ignore"):
        return replace(record, objective=float(np.ldexp(record.objective, scale)))


def checked(W: ndarray, b: ndarray, result: FitResult) -> FitResult:
    """The certificate, which proves nothing where a number is beyond the range of float64."""
    numbers = (np.isfinite(W).all(), np.isfinite(b).all(), np.isfinite(result.objective), np.isfinite(result.gap_bound))
    if all(numbers):
        return result
    objective = result.objective if np.isfinite(result.objective) else float("inf")
    return replace(result, status=Status.overflow, objective=objective, gap_bound=float("inf"))
