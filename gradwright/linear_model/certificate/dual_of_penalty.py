"""A lower bound of the minimum of a smooth loss with a penalty that has kinks: the value of a feasible dual point.

Slopes of the loss, where unpenalised columns have none left, shrunk until every column without an L2 penalty is within
its L1 penalty, are such a point (as in Massias, Gramfort and Salmon, Celer, 2018).
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.losses import Penalty
from gradwright.linear_model.objective import Objective


def unpenalised(objective: Objective, penalty: Penalty) -> ndarray:
    """Rows of θ without any penalty; ``penalty`` is in the coordinates of θ."""
    kinkless = np.append(penalty.smooth_columns, np.ones(int(objective.design.intercept), bool))
    return np.flatnonzero((objective.ridge[:, 0] == 0) & kinkless)


def lower_bound(objective: Objective, penalty: Penalty) -> float:
    """At most min F + kinks, from the slopes at the predictions Z; −∞ where they tell nothing."""
    data, design, loss, Z = objective.data, objective.design, objective.loss, objective.Z
    free = unpenalised(objective, penalty)
    if len(free):
        x = (
            np.concatenate([design.standard(rows)[:, free] for _, rows in data.dense_blocks()])
            if not (len(free) == 1 and design.intercept)
            else np.ones((data.n, 1))
        )
        Z = settle(objective, Z, x)
    _, v, _ = loss.rows(Z, objective.y)
    s = objective.row_weights()
    G, _ = design.collect(v * s[:, None])
    part = penalty.feasible(G)
    v, G = v * part, G * part
    conjugate = loss.conjugate(v if objective.K > 1 else v[:, 0], objective.y)
    value = -float(data.sum(np.array([np.sum(np.where(s > 0, s * conjugate, 0.0))]))[0]) - objective.least
    if objective.offset is not None:
        value += float(data.sum(np.array([np.sum(s[:, None] * v * objective.offset)]))[0])
    value -= penalty.conjugate(G)
    return value if np.isfinite(value) else -np.inf


def settle(objective: Objective, Z: ndarray, x: ndarray) -> ndarray:
    """Predictions after the unpenalised columns x (n, f) alone are brought to their optimum, from Z, by Newton."""
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
