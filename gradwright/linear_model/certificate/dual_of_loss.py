"""A lower bound of the minimum of a nonsmooth loss with an L2 penalty: slopes of its envelope are feasible duals."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.losses import Nonsmooth
from gradwright.linear_model.objective import Objective


def bracket(loss: Nonsmooth, objective: Objective, theta: ndarray) -> tuple[float, float, ndarray]:
    """The primal value at θ, a lower bound of the minimum, and the slopes of the envelope at θ.

    Args:
        loss: the loss itself.
        objective: of its envelope, evaluated at θ.
        theta: shape (p, 1).
    """
    y, data, s = objective.y, objective.data, objective.row_weights()
    penalty = 0.5 * float(np.sum(objective.ridge * theta * theta))
    primal = float(data.sum(np.array([np.sum(s * loss.value(objective.Z[:, 0], y))]))[0]) + penalty
    _, slope, h = objective.loss.rows(objective.Z, y, objective.u)
    v = feasible(loss, objective, slope[:, 0], h[:, 0])
    if v is None:
        return primal, 0.0, slope[:, 0]
    dual = float(data.sum(np.array([-np.sum(s * loss.conjugate(v, y))]))[0])
    if objective.offset is not None:
        dual += float(data.sum(np.array([np.sum(s * v * objective.offset[:, 0])]))[0])
    G, _ = objective.design.collect((s * v)[:, None])
    ridge = objective.ridge[: data.d]
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = np.where(ridge > 0, G * G / ridge, 0.0)
    return primal, dual - 0.5 * float(bend.sum()), v


def feasible(loss: Nonsmooth, objective: Objective, v: ndarray, h: ndarray) -> ndarray | None:
    """v moved where its curvature h is above 0, so that unpenalised columns have no slope left; None if that fails."""
    data, design, s = objective.data, objective.design, objective.row_weights()
    free = np.flatnonzero(objective.ridge[:, 0] == 0)
    if len(free) == 0:
        return v
    if len(free) > 3000:
        return None
    low, high = loss.box(objective.y)
    inside = ((v > low) & (v < high) & (h > 0)).astype(np.float64)
    for attempt in range(4):
        A, r = np.zeros((len(free), len(free))), np.zeros(len(free))
        for at, rows in data.dense_blocks():
            x = design.standard(rows)[:, free]
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
            moved[at] -= inside[at] * (design.standard(rows)[:, free] @ move)
        out = float(data.sum(np.array([np.sum((moved < low) | (moved > high))]))[0])
        v = np.clip(moved, low, high)
        if out == 0 and attempt >= 1:
            break
        inside = inside * ((v > low) & (v < high))
    G, gb = design.collect((s * v)[:, None])
    left = np.concatenate([G[:, 0], gb])[free] if design.intercept else G[free, 0]
    return v if np.abs(left).max() <= 1e-12 * max(1.0, np.abs(v).max()) else None
