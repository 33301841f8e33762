"""The duality gap of a Huber loss whose scale is fitted too, in coefficients and scale together.

    F(θ, σ) = Σᵢ sᵢ (σ + σ H(rᵢ / σ)) + Σⱼ aⱼ θⱼ²,     H(u) = u² for |u| < ε, else 2 ε |u| − ε²

For every |vᵢ| ≤ 2 ε with Σ sᵢ vᵢ² ≤ 4, and of which unpenalised columns have G = Σᵢ sᵢ vᵢ x̃ᵢ = 0,

    F − min F ≤ σ Σᵢ sᵢ (H(uᵢ) + vᵢ² / 4 − vᵢ uᵢ) + σ (1 − Σᵢ sᵢ vᵢ² / 4) + Σⱼ (2 aⱼ θⱼ + Gⱼ)² / (4 aⱼ),     u = r / σ

of which no term is below zero. v are the slopes of H, moved by a Newton step in the coefficients.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate.dual_of_loss import ROOM, still
from gradwright.linear_model.certificate.factor import Factor
from gradwright.linear_model.certificate.rounding import ULP, of_predictions, of_rows
from gradwright.linear_model.data import RowLoss, kernels
from gradwright.linear_model.losses import Huber
from gradwright.linear_model.objective import Objective, Problem


def best_scale(r: ndarray, s: ndarray, epsilon: float, low: float, high: float) -> float:
    """log σ in [low, high] that minimises Σ s (σ + σ H(r / σ)): there Σ s min(|r / σ|, ε)² = 1."""
    for _ in range(200):
        middle = 0.5 * (low + high)
        u = np.minimum(np.abs(r) * np.exp(-middle), epsilon)
        low, high = (middle, high) if float(s @ (u * u)) > 1.0 else (low, middle)
        if high - low <= 4.0 * ULP * max(1.0, abs(middle)):
            break
    return 0.5 * (low + high)


def value(r: ndarray, s: ndarray, epsilon: float, sigma: float) -> float:
    """Σ s (σ + σ H(r / σ)) for weights that sum to 1."""
    u = np.abs(r) / sigma
    return sigma * (1.0 + float(s @ np.where(u < epsilon, u * u, epsilon * (2.0 * u - epsilon))))


def duality_gap(
    problem: Problem, W: ndarray, b: ndarray, strength: ndarray, sigma: float, of_slopes: float, epsilon: float
) -> tuple[float, float]:
    """F and how far it is above its minimum at most.

    Args:
        problem: its loss and penalty are those of the fit for σ: they are set here.
        W, b: coefficients.
        strength: a of each column of X, (d,).
        sigma: σ, above 0.
        of_slopes: the σ at which the slopes are taken; that of the fit has the best coefficients for its slopes.
        epsilon: ε.
    """
    objective = problem.objective(Huber(epsilon * of_slopes))
    objective.use(np.float64)
    theta = objective.design.theta(W, b)
    objective.evaluate(theta)
    data, design, s = objective.data, objective.design, objective.row_weights()
    a = np.append(strength / design.scale / design.scale, [0.0] * design.intercept)
    r = objective.Z[:, 0] - problem.y
    whole = value(r, s, epsilon, sigma) + float(np.sum(a[:, None] * theta * theta))
    prediction, part = of_predictions(objective, theta), of_rows(objective)
    # the slopes of H are at most 2 ε
    trivial = whole * (1.0 + part) + 2.0 * epsilon * prediction
    u = r / sigma
    v = 2.0 * np.clip(r / of_slopes, -epsilon, epsilon)
    bends = (np.abs(r / of_slopes) < epsilon) & (s > 0)
    v = _stationary(objective, theta, a, of_slopes, epsilon, v, bends)
    free = np.flatnonzero(a == 0)
    inside = bends & (np.abs(v) < 2.0 * epsilon * (1.0 - ROOM))
    moves = still(objective, free, v, inside)
    if moves is None or not np.isfinite(whole):
        return whole, (trivial if np.isfinite(trivial) else np.inf)
    most = float(s @ (np.abs(v) + moves) ** 2) * (1.0 + part) / 4.0
    shrunk = min(1.0, 1.0 / float(np.sqrt(most))) if most > 0 else 1.0
    v = v * shrunk
    size = float(s @ np.maximum(np.abs(v) - moves, 0.0) ** 2) * (1.0 - part) / 4.0
    rows = np.maximum(_divergence(u, v - moves, epsilon), _divergence(u, v + moves, epsilon))
    away = np.abs(2.0 * np.clip(u, -epsilon, epsilon) - v) + moves
    G, _ = design.collect((s * v)[:, None])
    off = design.sizes((s * (part * np.abs(v) + moves))[:, None], part * np.sum(s * np.abs(v), keepdims=True))
    bent = a[: data.d, None] > 0
    lam = np.where(bent, 2.0 * a[: data.d, None], 1.0)
    short = theta[: data.d] + G / lam
    penalty = np.where(bent, 0.5 * lam * short * short + np.abs(short) * off + off * off / (2.0 * lam), 0.0)
    gap = sigma * (float(s @ rows) + max(1.0 - size, 0.0)) + float(np.sum(penalty))
    gap += prediction * (float(s @ away) + prediction / sigma) + 8.0 * ULP * whole
    return whole, (min(gap, trivial) if np.isfinite(gap) else np.inf)


def _divergence(u: ndarray, v: ndarray, epsilon: float) -> ndarray:
    """H(u) + v² / 4 − v u."""
    along = np.where(u > 0, v, -v)
    outside = (2.0 * epsilon - along) * (np.abs(u) - 0.25 * (2.0 * epsilon + along))
    found = np.where(np.abs(u) < epsilon, (u - 0.5 * v) ** 2, outside)
    return np.where(np.abs(v) <= 2.0 * epsilon, found, np.inf)


def _stationary(objective: Objective, theta: ndarray, a: ndarray, sigma: float, epsilon: float, v, bends) -> ndarray:
    """Slopes after a Newton step in the coefficients for this σ, as far as rows go on to bend."""
    design, s = objective.design, objective.row_weights()
    if objective.p > 2000:
        return v
    for _ in range(2):
        G, gb = design.collect((s * v)[:, None])
        g = (np.vstack([G, gb]) if design.intercept else G) + 2.0 * a[:, None] * theta
        own = np.where(bends, s, 0.0)
        H = objective.gram(lambda at, own=own: own[at])
        H[np.diag_indices_from(H)] += a * sigma
        if not np.all(np.isfinite(H)) or not np.any(own):
            return v
        step = -Factor.of(H).solve(g[:, 0] * sigma / 2.0)[:, None]
        W, b = design.weights(step)
        moved = np.zeros((objective.data.n, 1))
        objective.data.run(kernels.PREDICT, RowLoss(objective.loss, objective.y), W, b, moved, None)
        v = np.where(bends, np.clip(v + 2.0 / sigma * moved[:, 0], -2.0 * epsilon, 2.0 * epsilon), v)
        theta = theta + step
    return v
