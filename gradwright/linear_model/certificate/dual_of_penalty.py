"""The duality gap of a smooth loss with a penalty that has kinks, as a sum of terms none of which is below zero.

    F(θ) − min F ≤ Σᵢ sᵢ (ℓ(zᵢ) + ℓ*(vᵢ) − zᵢ vᵢ) + Σⱼ (pⱼ(θⱼ) + pⱼ*(−Gⱼ) + θⱼ Gⱼ),     G = Σᵢ sᵢ vᵢ x̃ᵢ

for any v of which unpenalised columns have G = 0 and columns without an L2 penalty are within their L1 penalty. Slopes
of the loss, shrunk until that holds, are such a point (as in Massias, Gramfort and Salmon, Celer, 2018). What rounding
may have done to predictions and to G counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate.dependence import independent
from gradwright.linear_model.certificate.rounding import ULP, Rounding
from gradwright.linear_model.losses import Penalty
from gradwright.linear_model.objective import Objective

STRAINED = 16
"""Columns that are brought within their penalty by a step of their own."""


def unpenalised(objective: Objective, penalty: Penalty) -> ndarray:
    """Rows of θ without any penalty; ``penalty`` is in the coordinates of θ."""
    kinkless = np.append(penalty.smooth_columns, np.ones(int(objective.design.intercept), bool))
    return np.flatnonzero((objective.ridge[:, 0] == 0) & kinkless)


def duality_gap(
    objective: Objective, penalty: Penalty, theta: ndarray, value: float, exact: bool, enough: float = 0.0
) -> float:
    """F with its kinks less the minimum at most; infinite where the slopes tell nothing.

    Args:
        objective: its predictions Z belong to θ.
        penalty: in the coordinates of θ.
        theta: θ.
        value: F with its kinks at θ.
        exact: whether to count rounding, for which one more pass over X is made; a gap without it proves nothing.
        enough: the gap below which no more work is done for a smaller one.
    """
    if not np.isfinite(value):
        return np.inf
    dual = Dual.at(objective, penalty, theta, value, exact)
    if dual is None:
        return np.inf
    gap = dual.gap(dual.moves, np.zeros(0, np.intp))
    if exact and gap > enough:
        gap = min(gap, dual.strained_gap())
    return gap


@dataclass
class Dual:
    """Slopes v with what they sum to over columns, G, and how far rounding may have moved that, ``off``.

    ``free`` are rows of θ without a penalty; every slope may have to move by ``moves`` so that they have none left.
    """

    objective: Objective
    penalty: Penalty
    theta: ndarray
    value: float
    rounding: Rounding | None
    v: ndarray
    curve: ndarray
    G: ndarray
    off: ndarray
    free: ndarray
    left: ndarray
    moves: ndarray

    @classmethod
    def at(cls, objective: Objective, penalty: Penalty, theta: ndarray, value: float, exact: bool) -> Dual | None:
        """That of the slopes at θ; None where unpenalised columns have a slope that cannot be taken from them."""
        design, s = objective.design, objective.row_weights()[:, None]
        free = unpenalised(objective, penalty)
        Z = objective.Z.astype(np.float64)
        if len(free):
            Z = settle(objective, Z, columns(objective, free))
        _, v, curve = objective.loss.rows(Z, objective.y)
        G, gb = design.collect(v * s)
        every = np.vstack([G, gb]) if design.intercept else G
        off, rounding = np.zeros_like(every), None
        if exact:
            rounding = Rounding.at(objective, theta, value)
            total = rounding.part * objective.data.sum(np.sum(s * np.abs(v), 0))
            off[: len(G)] = design.sizes(rounding.part * s * np.abs(v), total)
            off[len(G) :] = total
        left = np.abs(every[free]) + off[free]
        moves = correction(objective, free, left, v, curve)
        if moves is None:
            return None
        return cls(objective, penalty, theta, value, rounding, v, curve, G, off[: len(G)], free, left, moves)

    def gap(self, moves: ndarray, tight: ndarray) -> float:
        """The gap where slopes move by ``moves``, and with them those of some ``tight`` columns to their penalty."""
        objective, penalty, rounding, off = self.objective, self.penalty, self.rounding, self.off
        s = objective.row_weights()[:, None]
        if rounding is not None and np.any(moves):
            off = off + objective.design.sizes(s * moves, np.zeros(objective.K))
        G = self.G.copy()
        l1 = penalty.l1[tight, None]
        G[tight] = np.clip(G[tight], -l1, l1)
        size = np.abs(G) + off
        size[tight] = 0.0
        part = penalty.feasible(size)
        part = part * (1.0 - 4.0 * ULP) if part < 1.0 else part
        v = self.v * part
        rows = objective.loss.divergence(*_flat(objective, v - moves))
        if np.any(moves):
            # convex in v, so that it is largest at an end
            rows = np.maximum(rows, objective.loss.divergence(*_flat(objective, v + moves)))
        found = float(np.sum(np.where(s[:, 0] > 0, s[:, 0] * rows, 0.0)))
        found += penalty.divergence(self.theta, G * part, off)
        if rounding is not None:
            _, slope, _ = objective.loss.rows(objective.Z, objective.y)
            apart = float(np.sum(s * (np.abs(slope - v) + moves)))
            found += rounding.prediction * (apart + 2.0 * rounding.bend * rounding.prediction)
            found = min(found + 8.0 * ULP * self.value, self.value + rounding.value)
        return found if np.isfinite(found) else np.inf

    def strained_gap(self) -> float:
        """The gap where the few columns by which all slopes would have to shrink most are brought to their penalty.

        Such have a weak penalty, of which rounding is a large part.
        """
        penalty = self.penalty
        bare = np.flatnonzero((penalty.l2 == 0) & (penalty.l1 > 0) & (penalty.group_of < 0))
        wanted = ((np.abs(self.G) + self.off).max(1)[bare] - penalty.l1[bare]) / penalty.l1[bare]
        worst = np.argsort(-wanted, kind="stable")[:STRAINED]
        tight = np.sort(bare[worst[wanted[worst] > 1e-13]])
        if len(tight) == 0:
            return np.inf
        over = np.maximum(np.abs(self.G[tight]) - penalty.l1[tight, None], 0.0) + self.off[tight]
        both = np.append(self.free, tight)
        moves = correction(self.objective, both, np.vstack([self.left, over]), self.v, self.curve)
        return np.inf if moves is None else self.gap(moves, tight)


def _flat(objective: Objective, v: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Arguments of ``divergence`` at the predictions: one prediction a row is (n,)."""
    Z = objective.Z.astype(np.float64)
    return (Z, v, objective.y) if objective.K > 1 else (Z[:, 0], v[:, 0], objective.y)


def columns(objective: Objective, free: ndarray) -> ndarray:
    """Some columns of x̃, (n, f)."""
    design, data = objective.design, objective.data
    if len(free) == 1 and design.intercept:
        return np.ones((data.n, 1))
    if data.sparse:
        real = free[free < data.d]
        x = np.concatenate([X[:, real].toarray().astype(np.float64) for _, X in data.slices()])
        out = np.ones((data.n, len(free)))
        out[:, free < data.d] = (x - design.shift[real]) / design.scale[real]
        return out
    return np.concatenate([design.standard(rows)[:, free] for _, rows in data.dense_blocks()])


def correction(objective: Objective, moved: ndarray, left: ndarray, v: ndarray, curve: ndarray) -> ndarray | None:
    """How far each slope has to move at most, (n, K), so that some columns' slopes move by up to ``left`` (f, K).

    Moves are the loss's curvature times a step in the columns, so that slopes stay inside their range. None where the
    columns have no curvature to move by; columns that others make up exactly follow them.
    """
    if len(moved) == 0 or not np.any(left):
        return np.zeros_like(v)
    found = _correction(objective, columns(objective, moved), left, v, curve)
    if found is None:
        kept = np.isin(moved, independent(objective))
        found = _correction(objective, columns(objective, moved[kept]), left[kept], v, curve) if kept.any() else None
    return found


def _correction(objective: Objective, x: ndarray, left: ndarray, v: ndarray, curve: ndarray) -> ndarray | None:
    s, K, f = objective.row_weights(), objective.K, x.shape[1]
    H = second(x, curve, s, K)
    scale = np.sqrt(np.maximum(np.diag(H), 0.0))
    if not np.all(scale > 0) or not np.all(np.isfinite(H)):
        return None
    values, vectors = np.linalg.eigh(H / scale[:, None] / scale)
    # along the direction in which a softmax does not change there is neither slope nor curvature
    dull = f if K > 1 else 0
    if not np.all(values[dull:] > 1e-11):
        return None
    inverse = np.abs((vectors[:, dull:] / values[dull:]) @ vectors[:, dull:].T) / scale[:, None] / scale
    step = (inverse @ left.T.ravel()).reshape(K, f).T
    found = np.abs(x) @ step
    return curve * found if K == 1 else 2.0 * curve * found.max(1, keepdims=True)


def second(x: ndarray, curve: ndarray, s: ndarray, K: int) -> ndarray:
    """The Hessian over columns x (n, f), (K f, K f), classes outermost."""
    f = x.shape[1]
    H = np.zeros((K, f, K, f))
    for k in range(K):
        for other in range(K):
            h = curve[:, 0] if K == 1 else curve[:, k] * ((k == other) - curve[:, other])
            H[k, :, other] = x.T @ (x * (h * s)[:, None])
    return H.reshape(K * f, K * f)


def settle(objective: Objective, Z: ndarray, x: ndarray) -> ndarray:
    """Predictions after the unpenalised columns x (n, f) alone are brought to their optimum, from Z, by Newton."""
    loss, y = objective.loss, objective.y
    s, K, f = objective.row_weights(), objective.K, x.shape[1]
    for _ in range(30):
        _, slope, curve = loss.rows(Z, y)
        r = x.T @ (slope * s[:, None])
        if np.abs(r).max() <= 1e-16 * max(1.0, float(np.sum(s[:, None] * np.abs(slope)))):
            break
        H = second(x, curve, s, K)
        if not np.all(np.isfinite(H)):
            break
        step = np.linalg.lstsq(H, r.T.ravel(), rcond=1e-12)[0].reshape(K, f).T
        change = x @ step
        largest = float(np.abs(change).max(initial=0.0))
        Z = Z - change * (min(1.0, 2.0 / max(largest, 1e-300)) if loss.pure else 1.0)
        if largest <= 1e-15 * max(1.0, float(np.abs(Z).max())):
            break
    return Z
