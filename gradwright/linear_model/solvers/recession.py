"""Directions of recession: rows of classes that can be separated, so that F falls without end and has no minimum."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import RowLoss, kernels
from gradwright.linear_model.solvers.run import Run

FAR = 8.0
"""Predictions beyond which a row may be one that can be separated."""
MOVED = 0.3
"""What a Newton step moves such a row by at least; it would be 1 if the row were alone."""


def separated(run: Run) -> bool:
    """Whether nothing is penalised and every row is on its right side, so that F can be brought to zero."""
    objective = run.objective
    if not objective.loss.separable or np.any(objective.ridge > 0) or objective.offset is not None:
        return False
    if run.value > 0.5 * run.first:
        return False
    Z, y = objective.Z, objective.y
    if objective.K == 1:
        wrong = (2.0 * y - 1.0) * Z[:, 0] <= 0
    else:
        row, label = np.arange(len(Z)), y.astype(np.intp)
        own = Z[row, label]
        others = Z.copy()
        others[row, label] = -np.inf
        wrong = own <= others.max(1)
    if objective.s is not None:
        wrong = wrong & (objective.s > 0)
    return float(objective.data.sum(np.array([float(wrong.sum())]))[0]) == 0.0


def recedes(run: Run, d: ndarray) -> bool | None:
    """Whether rows can be separated along a Newton step d, so that F falls without end, though not to zero.

    There the step moves rows whose loss has all but vanished on by 1, and no other row (quasi-complete separation;
    Albert and Anderson, On the existence of maximum likelihood estimates in logistic regression models, 1984). None if
    other rows move too: a few more steps tell.
    """
    objective, data = run.objective, run.objective.data
    free = objective.ridge[: data.d, 0] == 0
    if not objective.loss.separable or not free.any() or np.any(objective.y % 1 != 0):
        return False
    if 2.0 * np.sqrt(objective.design.extent()) * float(np.linalg.norm(d)) <= MOVED:
        return False

    def margins(Z: ndarray) -> ndarray:
        if objective.K == 1:
            return (2.0 * objective.y - 1.0)[:, None] * Z
        return Z[np.arange(len(Z)), objective.y.astype(np.intp)][:, None] - Z

    far = margins(objective.Z) > FAR
    if not data.sum(np.array([np.sum(far)]))[0]:
        return False
    Z = np.zeros((data.n, objective.K))
    W, b = objective.design.weights(d)
    data.run(kernels.PREDICT, RowLoss(objective.loss, objective.y), W, b, Z, None)
    objective.products += 1
    moved = margins(Z)
    if not data.sum(np.array([np.sum(far & (moved > MOVED))]))[0]:
        return False
    still = 1e-6
    live = slice(None) if objective.s is None else objective.s > 0
    others = np.sum((np.where(far, -moved, np.abs(moved)) > still)[live])
    penalised = float(np.sum(objective.ridge * d * d)) > still * abs(run.value)
    return None if data.sum(np.array([others]))[0] or penalised else True
