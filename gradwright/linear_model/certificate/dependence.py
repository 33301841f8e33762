"""Columns that others make up exactly: duplicates, constants beside an intercept, the dummies of one factor.

Without a penalty F does not change along such a dependence, so that its minimum is reached with one column of it left
as it is. A dependence counts only where it holds in every row without any rounding: one that holds to 16 digits leaves
a direction in which F still falls, if for coefficients of 10¹⁶.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy import ndarray
from scipy import linalg

from gradwright.linear_model.objective import Objective

LARGEST = 64
"""Denominators of coefficients of a dependence that are tried."""


def independent(objective: Objective) -> ndarray:
    """Rows of θ that are left when those that others make up exactly, without a penalty, stay as they are."""
    if objective.data.device or objective.data.reduce is not None:
        return np.arange(objective.p)
    p, design = objective.p, objective.design
    free = np.flatnonzero(objective.ridge[:, 0] == 0)
    columns = free[free < objective.data.d]
    if len(columns) == 0:
        return np.arange(p)
    live = lambda at: np.ones(at.stop - at.start) if objective.s is None else (objective.s[at] > 0).astype(float)  # noqa: E731
    gram = objective.gram(live)
    if design.intercept:
        gram = gram - np.outer(gram[:, -1], gram[-1]) / gram[-1, -1]
    gram = gram[np.ix_(columns, columns)]
    diagonal = np.diag(gram)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    C = np.where(np.abs(gram) > 0, gram / scale[:, None] / scale, 0.0)
    pstrf = linalg.get_lapack_funcs("pstrf", (C,))
    _, pivots, rank, _ = pstrf(C, lower=1, tol=1e-11)
    held, made = np.sort(pivots[:rank] - 1), np.sort(pivots[rank:] - 1)
    parts = np.zeros((rank, len(made)))
    if rank and len(made):
        parts = linalg.lstsq(C[np.ix_(held, held)], C[np.ix_(held, made)])[0] / scale[held][:, None] * scale[made]
    gone = [columns[j] for a, j in enumerate(made) if _exact(objective, columns[j], columns[held], parts[:, a])]
    return np.setdiff1d(np.arange(p), gone)


def _exact(objective: Objective, column: int, others: ndarray, parts: ndarray) -> bool:
    """Whether a column is a sum of multiples of others and of 1, in every row that has a weight, to the last digit."""
    design = objective.design
    parts = parts * design.scale[column] / design.scale[others]
    size = np.abs(parts) * design.scale[others] / design.scale[column]
    others, parts = others[size > 1e-6], parts[size > 1e-6]
    given = [Fraction(float(part)).limit_denominator(LARGEST) for part in parts]
    if any(abs(float(near) - part) > 1e-4 * abs(part) for near, part in zip(given, parts)):
        return False
    unit = int(np.lcm.reduce([near.denominator for near in given])) if given else 1
    whole = [unit, *(-int(near * unit) for near in given)]
    if unit > LARGEST or max(abs(k) for k in whole) > 2**20:
        return False
    columns, constant = np.append(column, others), None
    for at, rows in objective.data.dense_blocks():
        high, low = _sum(rows[:, columns].astype(np.float64), whole)
        if objective.s is not None:
            live = objective.s[at] > 0
            high, low = high[live], low[live]
        if len(high) == 0:
            continue
        constant = high[0] if constant is None else constant
        if not design.intercept and constant != 0:
            return False
        if not (np.all(high == constant) and np.all(low == 0)):
            return False
    return True


def _sum(rows: ndarray, whole: list[int]) -> tuple[ndarray, ndarray]:
    """Σ kⱼ xⱼ of each row, as a number and what rounding left of it."""
    high, low = np.zeros(len(rows)), np.zeros(len(rows))
    with np.errstate(over="ignore", invalid="ignore"):
        for k, x in zip(whole, rows.T):
            # a whole number of 20 digits times each half of x is exact
            upper = x * 134217729.0
            upper = upper - (upper - x)
            for term in (k * upper, k * (x - upper)):
                total = high + term
                back = total - high
                low += (high - (total - back)) + (term - back)
                high = total
    return high, low
