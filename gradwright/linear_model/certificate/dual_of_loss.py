"""The duality gap of a nonsmooth loss with an L2 penalty or none: slopes of its envelope are feasible duals.

    F(θ) − min F ≤ Σᵢ sᵢ (ℓ(zᵢ) + ℓ*(vᵢ) − zᵢ vᵢ) + Σⱼ (λⱼ θⱼ + Gⱼ)² / (2 λⱼ),     G = Σᵢ sᵢ vᵢ x̃ᵢ

for v within their boxes of which unpenalised columns have G = 0. No term is below zero, and what rounding may have done
to predictions and to G counts.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate.dependence import independent
from gradwright.linear_model.certificate.dual_of_penalty import columns
from gradwright.linear_model.certificate.rounding import ULP, of_predictions, of_rows
from gradwright.linear_model.losses import Nonsmooth
from gradwright.linear_model.objective import Objective

ROOM = 1e-8
"""How far inside its box a slope must be to be moved."""


def primal(loss: Nonsmooth, objective: Objective, theta: ndarray) -> float:
    """F with the loss itself at θ, to which the predictions belong."""
    penalty = 0.5 * float(np.sum(objective.ridge * theta * theta))
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(objective.row_weights() * loss.value(objective.Z[:, 0], objective.y))) + penalty


def duality_gap(loss: Nonsmooth, objective: Objective, theta: ndarray, value: float) -> tuple[float, ndarray]:
    """F less its minimum at most, and the slopes of the envelope at θ.

    Args:
        loss: the loss itself.
        objective: of its envelope, evaluated at θ.
        theta: shape (p, 1).
        value: F at θ.
    """
    y, design, s, Z = objective.y, objective.design, objective.row_weights(), objective.Z[:, 0]
    _, slope, h = objective.loss.rows(objective.Z, y, objective.u)
    prediction = of_predictions(objective, theta)
    part = of_rows(objective)
    trivial = value * (1.0 + part) + prediction
    found = feasible(loss, objective, slope[:, 0], h[:, 0])
    if found is None or not np.isfinite(value):
        return (trivial if np.isfinite(trivial) else np.inf), slope[:, 0]
    v, moves = found
    G, _ = design.collect((s * v)[:, None])
    weight = (s * (part * np.abs(v) + moves))[:, None]
    off = design.sizes(weight, part * np.sum(s * np.abs(v), keepdims=True))
    ridge = objective.ridge[: objective.data.d]
    bent = ridge > 0
    lam = np.where(bent, ridge, 1.0)
    short = theta[: objective.data.d] + G / lam
    penalty = np.where(bent, 0.5 * lam * short * short + np.abs(short) * off + off * off / (2.0 * lam), 0.0)
    rows = np.maximum(loss.divergence(Z, v - moves, y), loss.divergence(Z, v + moves, y))
    # the loss may change by its slopes within a prediction's error, to either side
    ends = (loss.slope(Z - prediction, y), loss.slope(Z + prediction, y))
    away = prediction * np.maximum(np.abs(ends[0] - v), np.abs(ends[1] - v))
    gap = float(np.sum(s * (rows + away))) + prediction * float(np.sum(s * moves)) + float(np.sum(penalty))
    gap = min(gap + 8.0 * ULP * value, trivial)
    return (gap if np.isfinite(gap) else np.inf), v


def feasible(loss: Nonsmooth, objective: Objective, v: ndarray, h: ndarray) -> tuple[ndarray, ndarray] | None:
    """Slopes moved where their curvature h is above 0, so that unpenalised columns have none left, or None.

    Also how far each would have to move still, at most, for them to have none at all; there is room for that.
    """
    s = objective.row_weights()
    free = np.flatnonzero(objective.ridge[:, 0] == 0)
    if len(free) == 0:
        return v, np.zeros_like(v)
    if len(free) > 3000:
        return None
    low, high = loss.box(objective.y)
    inside = (v > low + ROOM) & (v < high - ROOM) & (h > 0) & (s > 0)
    x = columns(objective, free)
    v = np.where(s > 0, v, np.clip(0.0, low, high))
    for _ in range(4):
        r = x.T @ (s * v)
        if np.abs(r).max() <= 1e-15:
            break
        own = x[inside]
        move = np.linalg.lstsq(own.T @ (own * s[inside][:, None]), r, rcond=1e-13)[0]
        moved = v.copy()
        moved[inside] -= own @ move
        v = np.clip(moved, low, high)
        inside &= (v > low + ROOM) & (v < high - ROOM)
    moves = still(objective, free, v, inside)
    if moves is None and not loss.hinge:
        # all slopes a little smaller have room to move, and as little left in the columns
        moves = still(objective, free, v, s > 0)
        v = v if moves is None else v * (1.0 - 2.0 * moves.max())
    return None if moves is None else (v, moves)


def still(objective: Objective, free: ndarray, v: ndarray, inside: ndarray) -> ndarray | None:
    """How far slopes of the rows ``inside`` would have to move, at most, for free columns to have none left; (n,).

    None where they would leave their boxes.
    """
    if len(free) == 0:
        return np.zeros_like(v)
    x = columns(objective, free)
    moves = _still(objective, x, v, inside)
    if moves is None and len(free) > 1:
        kept = np.isin(free, independent(objective))
        moves = _still(objective, x[:, kept], v, inside) if kept.any() and not kept.all() else None
    return None if moves is None or moves.max() > 0.5 * ROOM else moves


def _still(objective: Objective, x: ndarray, v: ndarray, inside: ndarray) -> ndarray | None:
    s = objective.row_weights()
    left = np.abs(x.T @ (s * v)) + of_rows(objective) * (np.abs(x).T @ (s * np.abs(v)))
    if not np.any(left):
        return np.zeros_like(v)
    own = x[inside]
    H = own.T @ (own * s[inside][:, None])
    scale = np.sqrt(np.maximum(np.diag(H), 0.0))
    if not np.all(scale > 0):
        return None
    values, vectors = np.linalg.eigh(H / scale[:, None] / scale)
    if not values[0] > 1e-11:
        return None
    inverse = np.abs((vectors / values) @ vectors.T) / scale[:, None] / scale
    moves = np.zeros_like(v)
    moves[inside] = np.abs(own) @ (inverse @ left)
    return moves
