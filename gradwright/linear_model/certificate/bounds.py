"""Certificate: a proven upper bound of F(θ) − min F, from the gradient, curvature, and how fast curvature can change.

With λ² = gᵀ H⁻¹ g and ρ = max over rows of how much one prediction can move for a step of length 1 in the norm of H:

* quadratic losses: F − F* = λ² / 2;
* exponential losses (|ℓ'''| ≤ ℓ'', Bach, Self-concordant analysis for logistic regression, 2010):
  F(θ + v) ≥ F(θ) − λ r + r² (e^−s + s − 1) / s² with r = ‖v‖_H and s = ρ r, hence for t = λ ρ < 1
  F − F* ≤ (t + (1 − t) log(1 − t)) / ρ²;
* losses of pieces: with the curvature of those rows only that cannot reach a kink within S ≥ 2 λ ρ, F − F* ≤ λ² / 2.

H may be replaced by any matrix below it, and is: what rounding may have added to it is taken off its diagonal, and what
rounding may have taken from g is added to λ. Where no matrix below H is left, only ``fallback`` holds. A damped Hessian
is above H, so that it makes steps and proves nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray
from scipy import linalg

from gradwright.linear_model.certificate.dependence import independent
from gradwright.linear_model.certificate.factor import Factor
from gradwright.linear_model.certificate.rounding import ULP, Rounding, of_rows
from gradwright.linear_model.objective import Objective

QUICK = 0.6
"""λ ρ up to which the first estimate of ρ does: there it costs 3/10 of the bound, and a better one a pass over X."""


class Bound(NamedTuple):
    """F less its minimum is at most ``gap``; ``exhausted`` says that rounding, not the gradient, makes most of it."""

    gap: float
    exhausted: bool


def exponential(decrement: float, rho: float, most: float = 1.0) -> float:
    """The bound for exponential losses from λ² and ρ; infinite where λ ρ is not below ``most``."""
    lam = float(np.sqrt(max(decrement, 0.0)))
    t = lam * rho
    if not t < most:
        return float("inf")
    if t < 1e-3:
        return 0.5 * decrement * (1.0 + t)
    return float((t + (1.0 - t) * np.log1p(-t)) / rho**2)


def fallback(objective: Objective, value: float, g: ndarray, theta: ndarray, rounding: Rounding | None = None) -> float:
    """What holds for every loss: strong convexity where all of θ is penalised, and F ≥ 0."""
    rounding = Rounding.at(objective, theta, value) if rounding is None else rounding
    bound = value + rounding.value
    if np.all(objective.ridge > 0):
        with np.errstate(over="ignore"):
            steep = float(np.sqrt(np.sum(g * g / objective.ridge)))
            steep += rounding.along(objective, theta, 1.0 / objective.ridge)
            bound = min(bound, 0.5 * steep * steep)
    return bound if np.isfinite(bound) else float("inf")


def off(objective: Objective, size: int) -> float:
    """How far a matrix of second derivatives, scaled to a unit diagonal, may be from the true one, in any direction.

    Entries are sums over rows, off by a part of the sum of their sizes, which the diagonal bounds; the factor adds what
    ``size`` eliminations do.
    """
    return size * (of_rows(objective) + 2.0 * (size + 2.0) * ULP)


def dense(objective: Objective, value: float, g: ndarray, theta: ndarray, factor: Factor, H: ndarray | None) -> Bound:
    """The bound where the whole Hessian was formed.

    Args:
        objective: F, whose predictions Z belong to θ.
        value, g: F and its gradient there.
        theta: θ.
        factor: of H, perhaps damped.
        H: the Hessian at Z, which is changed; None where ``factor`` is of a matrix below it.
    """
    rounding = Rounding.at(objective, theta, value)
    rest = fallback(objective, value, g, theta, rounding)
    if not np.isfinite(value) or not rounding.prediction < 0.1:
        return Bound(rest, exhausted=True)
    p, K = objective.p, objective.K
    flat, common = centred(objective, g, theta)
    kept = np.arange(p)
    if H is not None:
        stiffen(objective, H)
        least = off(objective, len(H))
        found = Factor.certain(H, least)
        if found is None:
            kept = independent(objective)
            at = places(kept, p, K)
            found = Factor.certain(H[np.ix_(at, at)], least) if len(kept) < p else None
        if found is None:
            return Bound(rest, exhausted=True)
        factor = found
    inverse = whole(factor, kept, p, K)
    own = flat[places(kept, p, K)]
    lam = float(np.linalg.norm(factor.half(own)))
    widths = np.diag(inverse).reshape(K, p).T
    # predictions that are off change curvatures by e^off at most
    grown = np.exp(2.0 * rounding.prediction) if objective.loss.shape == "exponential" else 1.0
    wrong = rounding.along(objective, theta, widths)
    decrement = grown * (lam + wrong) ** 2
    exhausted = wrong > lam
    slack = common + 4.0 * ULP * value
    if objective.loss.shape == "quadratic":
        return Bound(min(rest, 0.5 * decrement + slack), exhausted)
    if not 0.5 * decrement <= rest:
        return Bound(rest, exhausted)
    if objective.loss.shape == "exponential":
        shape = ellipsoid(inverse, p, K)
        # the extremes of the columns alone give a larger ρ, which is often good enough
        quick = float(np.linalg.norm(shape, 2) * np.sqrt(grown * objective.design.extent()))
        bound = exponential(decrement, quick, QUICK)
        if not np.isfinite(bound):
            bound = exponential(decrement, float(np.sqrt(grown * objective.design.largest_rows(shape, objective.s))))
        return Bound(min(rest, bound + slack), exhausted)
    return Bound(min(rest, _pieces(objective, theta, own, kept, lam + wrong, inverse, rounding) + slack), exhausted)


def _pieces(
    objective: Objective, theta: ndarray, own: ndarray, kept: ndarray, lam: float, inverse: ndarray, rounding: Rounding
) -> float:
    """The bound for losses of pieces, of which only rows count that no step within reach takes over a kink."""
    reach = 3.0 * lam * spread(objective, inverse)
    for _ in range(4):
        H = objective.hessian(least=max(reach + rounding.prediction, 1e-300))[np.ix_(kept, kept)]
        least = off(objective, objective.p)
        # a direction in which no kept row bends is not bounded; Factor would give it a unit of curvature
        factor = None if np.any(np.diag(H) <= 0) else Factor.certain(H, least)
        if factor is None:
            return float("inf")
        inverse = whole(factor, kept, objective.p, 1)
        wrong = rounding.along(objective, theta, np.diag(inverse)[:, None])
        lam = float(np.linalg.norm(factor.half(own))) + wrong
        needed = 2.0 * lam * spread(objective, inverse)
        if needed <= reach or lam == 0.0:
            return 0.5 * lam * lam
        reach = 2.0 * needed
    return float("inf")


def centred(objective: Objective, g: ndarray, theta: ndarray) -> tuple[ndarray, float]:
    """The gradient, classes outermost, and what is known of its part that is the same for every class.

    A softmax does not change along that part, so that the penalty alone has its minimum there, where it is zero.
    """
    if objective.K == 1:
        return g.T.ravel(), 0.0
    mean = theta.mean(1, keepdims=True)
    common = 0.5 * objective.K * float(np.sum(objective.ridge * mean * mean))
    return (g - g.mean(1, keepdims=True)).T.ravel(), common * (1.0 + 8.0 * ULP)


def stiffen(objective: Objective, H: ndarray) -> None:
    """Give H curvature along the directions in which a softmax does not change: a centred gradient has none there."""
    p, K = objective.p, objective.K
    if K == 1:
        return
    extra = np.where(objective.ridge[:, 0] > 0, np.diag(H).reshape(K, p).mean(0), 0.0)
    for j in np.flatnonzero(extra):
        H[j::p, j::p] += extra[j] / K


def places(kept: ndarray, p: int, K: int) -> ndarray:
    """Places of some rows of θ for every class."""
    return (np.arange(K)[:, None] * p + kept).ravel()


def whole(factor: Factor, kept: ndarray, p: int, K: int) -> ndarray:
    """The inverse over all of θ, zero where rows of θ stay as they are."""
    inverse = factor.inverse()
    if len(kept) == p:
        return inverse
    out, at = np.zeros((K * p, K * p)), places(kept, p, K)
    out[np.ix_(at, at)] = inverse
    return out


def spread(objective: Objective, inverse: ndarray) -> float:
    """ρ: the largest change of a row's prediction (for softmax, of a difference of two) over the length of the step."""
    shape = ellipsoid(inverse, objective.p, objective.K)
    return float(np.sqrt(objective.design.largest_rows(shape, objective.s)))


def ellipsoid(inverse: ndarray, p: int, K: int) -> ndarray:
    """L (p, p), so that no prediction of a row x changes by more than ‖L x‖ for a step of length 1."""
    if K == 1:
        B = inverse
    else:
        # over classes, less the direction along which a softmax does not change
        cut = inverse.reshape(K, p, K, p)
        B = 2.0 * (np.einsum("kakb->ab", cut) - cut.sum((0, 2)) / K)
    values, vectors = linalg.eigh(0.5 * (B + B.T), check_finite=False)
    return (vectors * np.sqrt(np.maximum(values, 0.0) + 8.0 * p * ULP * max(float(values[-1]), 0.0))).T
