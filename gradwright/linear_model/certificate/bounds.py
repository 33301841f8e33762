"""Certificate: a proven upper bound of F(θ) − min F, from the gradient, curvature, and how fast curvature can change.

With λ² = gᵀ H⁻¹ g and ρ = max over rows of how much one prediction can move for a step of length 1 in the norm of H:

* quadratic losses: F − F* = λ² / 2;
* exponential losses (|ℓ'''| ≤ ℓ'', Bach, Self-concordant analysis for logistic regression, 2010):
  F(θ + v) ≥ F(θ) − λ r + r² (e^−s + s − 1) / s² with r = ‖v‖_H and s = ρ r, hence for t = λ ρ < 1
  F − F* ≤ (t + (1 − t) log(1 − t)) / ρ²;
* losses of pieces: with the curvature of those rows only that cannot reach a kink within S ≥ 2 λ ρ, F − F* ≤ λ² / 2.

H may be replaced by any matrix below it.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate.factor import Factor
from gradwright.linear_model.objective import Objective

QUICK = 0.6
"""λ ρ up to which the first estimate of ρ does: there it costs 3/10 of the bound, and a better one a pass over X."""


def exponential(decrement: float, rho: float, most: float = 1.0) -> float:
    """The bound for exponential losses from λ² and ρ; infinite where λ ρ is not below ``most``."""
    lam = float(np.sqrt(max(decrement, 0.0)))
    t = lam * rho
    if not t < most:
        return float("inf")
    if t < 1e-3:
        return 0.5 * decrement * (1.0 + t)
    return float((t + (1.0 - t) * np.log1p(-t)) / rho**2)


def fallback(objective: Objective, value: float, g: ndarray) -> float:
    """What holds for every loss: strong convexity where all of θ is penalised, and F ≥ 0."""
    bound = value
    if np.all(objective.ridge > 0):
        bound = min(bound, 0.5 * float(np.sum(g * g / objective.ridge)))
    return bound


def dense(objective: Objective, value: float, g: ndarray, factor: Factor) -> float:
    """The bound where the whole Hessian is factored."""
    flat = g.T.ravel()
    rest = fallback(objective, value, g)
    decrement = float(flat @ factor.solve(flat))
    if objective.loss.shape == "quadratic":
        return min(rest, 0.5 * decrement * (1.0 + max(factor.damping, 0.0)))
    if 0.5 * decrement > rest:
        return rest
    if objective.loss.shape == "exponential":
        shape = ellipsoid(objective, factor)
        # the extremes of the columns alone give a larger ρ, which is often good enough
        quick = float(np.linalg.norm(shape, 2) * np.sqrt(objective.design.extent()))
        bound = exponential(decrement, quick, QUICK)
        if not np.isfinite(bound):
            bound = exponential(decrement, float(np.sqrt(objective.design.largest_rows(shape, objective.s))))
        return min(rest, bound)
    reach = 3.0 * np.sqrt(max(decrement, 0.0)) * spread(objective, factor)
    for _ in range(3):
        H = objective.hessian(least=max(reach, 1e-300))
        # a direction in which no kept row bends is not bounded; Factor would give it a unit of curvature
        if np.any(flat[np.diag(H) <= 0] != 0):
            return rest
        kept = Factor.of(H)
        if kept.damping > 1e-9:
            return rest
        lam2 = float(flat @ kept.solve(flat))
        needed = 2.0 * np.sqrt(max(lam2, 0.0)) * spread(objective, kept)
        if needed <= reach or lam2 == 0.0:
            return min(rest, 0.5 * lam2)
        reach = 2.0 * needed
    return rest


def spread(objective: Objective, factor: Factor) -> float:
    """ρ: the largest change of a row's prediction (for softmax, of a difference of two) over the length of the step."""
    return float(np.sqrt(objective.design.largest_rows(ellipsoid(objective, factor), objective.s)))


def ellipsoid(objective: Objective, factor: Factor) -> ndarray:
    """L (p, p), so that no prediction of a row x changes by more than ‖L x‖ for a step of length 1."""
    p, K = objective.p, objective.K
    inverse = factor.inverse()
    if K == 1:
        B = inverse
    else:
        # over classes, less the direction along which a softmax does not change
        cut = inverse.reshape(K, p, K, p)
        B = 2.0 * (np.einsum("kakb->ab", cut) - cut.sum((0, 2)) / K)
    values, vectors = np.linalg.eigh(0.5 * (B + B.T))
    return (vectors * np.sqrt(np.maximum(values, 0.0))).T
