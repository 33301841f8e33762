"""Classes of a softmax without any weight: their intercept would fall without end, so that they are left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult
from gradwright.linear_model.data import RowLoss, kernels
from gradwright.linear_model.losses import Softmax
from gradwright.linear_model.objective import Problem

BELOW = 60.0
"""How far such a class is left below the best one of every row: its probability is under 10⁻²⁶ then."""


def live(problem: Problem) -> ndarray | None:
    """Which classes have a weight, (K,); None if all have, or if there is no intercept that could fall."""
    if not isinstance(problem.loss, Softmax) or not problem.intercept or problem.s is None:
        return None
    share = problem.data.sum(np.bincount(problem.y.astype(np.intp), problem.s, problem.K))
    return None if np.all(share > 0) else share > 0


def reduced(problem: Problem, kept: ndarray) -> Problem:
    """The problem of the classes that are kept; rows of the others, which have no weight, pass for one of them."""
    place = np.cumsum(kept) - 1.0
    place[~kept] = 0.0
    K = int(kept.sum())
    offset = None if problem.offset is None else np.ascontiguousarray(problem.offset[:, kept])
    return replace(problem, loss=Softmax(K), K=K, y=place[problem.y.astype(np.intp)], offset=offset)


def restored(
    problem: Problem, kept: ndarray, W: ndarray, b: ndarray, result: FitResult
) -> tuple[ndarray, ndarray, FitResult]:
    """The answer for all classes; what is left of the others' probabilities counts in the gap."""
    data, width = problem.data, int(kept.sum())
    Z = np.zeros((data.n, width))
    data.run(kernels.PREDICT, RowLoss(Softmax(width), problem.y), W, b, Z, None)
    top = Z if problem.offset is None else Z + problem.offset[:, kept]
    above = -top.max(1, keepdims=True)
    if problem.offset is not None:
        above = above + problem.offset[:, ~kept]
    # a sum over processes of what is at least zero is at least the largest
    lowest = -float(data.sum(np.array([max(float(above.max(initial=0.0)), 0.0)]))[0]) - BELOW
    every, free = np.zeros((len(W), problem.K)), np.full(problem.K, lowest)
    every[:, kept], free[kept] = W, b
    more = float(np.exp(-BELOW)) * int((~kept).sum())
    note = f"{int((~kept).sum())} of {problem.K} classes have no weight and no coefficients"
    grown = replace(
        result, objective=result.objective + more, gap_bound=result.gap_bound + more, notes=[*result.notes, note]
    )
    return every, free, grown
