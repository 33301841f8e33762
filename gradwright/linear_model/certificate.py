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

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy import linalg

from .kernels import block_size, blocks
from .objective import Objective


@dataclass
class Factor:
    """A Cholesky factor of H scaled to a unit diagonal, with a multiple ``damping`` of its diagonal added."""

    root: ndarray
    scale: ndarray
    damping: float

    @classmethod
    def of(cls, H: ndarray, least: float = 0.0) -> Factor:
        """Factor H with the smallest damping that works, ``least`` or more."""
        diagonal = np.diag(H)
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        C = H / scale[:, None] / scale
        C[np.diag_indices_from(C)] = 1.0
        damping = least
        while True:
            try:
                damped = C.copy()
                damped[np.diag_indices_from(C)] += damping
                return cls(linalg.cholesky(damped, lower=True, check_finite=False), scale, damping)
            except linalg.LinAlgError:
                damping = max(1e-14, damping * 100)

    def solve(self, g: ndarray) -> ndarray:
        """H⁻¹ g for a vector or the columns of a matrix."""
        column = self.scale if g.ndim == 1 else self.scale[:, None]
        return linalg.cho_solve((self.root, True), g / column, check_finite=False) / column

    def inverse(self) -> ndarray:
        return self.solve(np.eye(len(self.scale)))


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
        return min(rest, 0.5 * decrement * (1.0 + factor.damping))
    if 0.5 * decrement > rest:
        return rest
    if objective.loss.shape == "exponential":
        quick = exponential(decrement, spread(objective, factor, quick=True), most=0.1)
        if np.isfinite(quick):
            return min(rest, quick)
        return min(rest, exponential(decrement, spread(objective, factor)))
    reach = 3.0 * np.sqrt(max(decrement, 0.0)) * spread(objective, factor)
    for _ in range(3):
        kept = Factor.of(objective.hessian(least=max(reach, 1e-300)))
        if kept.damping > 1e-9:
            return rest
        lam2 = float(flat @ kept.solve(flat))
        needed = 2.0 * np.sqrt(max(lam2, 0.0)) * spread(objective, kept)
        if needed <= reach or lam2 == 0.0:
            return min(rest, 0.5 * lam2)
        reach = 2.0 * needed
    return rest


def spread(objective: Objective, factor: Factor, quick: bool = False) -> float:
    """ρ: the largest change of a row's prediction (for softmax, of a difference of two) over the length of the step.

    ``quick`` answers a larger number, from the extremes of the columns alone.
    """
    p, K = objective.p, objective.K
    inverse = factor.inverse()
    if K == 1:
        B = inverse
    else:
        # over classes, less the direction along which a softmax does not change
        cut = inverse.reshape(K, p, K, p)
        B = 2.0 * (np.einsum("kakb->ab", cut) - cut.sum((0, 2)) / K)
    values, vectors = np.linalg.eigh(0.5 * (B + B.T))
    if quick:
        return float(np.sqrt(max(values[-1], 0.0) * objective.extent()))
    return float(np.sqrt(objective.largest_rows((vectors * np.sqrt(np.maximum(values, 0.0))).T)))


@dataclass
class Floor:
    """A matrix below the Hessian that is the same for every class and can be solved with.

    Dense data: Σ sᵢ aᵢ x xᵀ + λ, aᵢ the smallest curvature of row i (for softmax its smallest probability: the variance
    under p is at least min p times the squared distance from the mean). Wide data: λ and, of the rows, only their mean
    prediction (Jensen): vᵀ λ v + A (c + m·v)² with A = Σ sᵢ aᵢ and m the mean row under these weights.
    """

    factor: Factor | None
    ridge: ndarray
    mean: ndarray
    weight: float
    rho: float

    def solve(self, r: ndarray) -> ndarray:
        if self.factor is not None:
            return self.factor.solve(r)
        if self.weight == 0:
            return r / self.ridge[:, None]
        v = (r[:-1] - self.mean[:, None] * r[-1]) / self.ridge[:, None]
        return np.vstack([v, r[-1] / self.weight - self.mean @ v])

    @classmethod
    def of(cls, objective: Objective, whole: bool) -> Floor:
        """The floor at the predictions Z: from every row's products, or for wide data."""
        data, double = objective.data, 2.0 if objective.K > 1 else 1.0
        if not whole:
            return cls._wide(objective, double)
        H = np.zeros((objective.p, objective.p))
        for at, rows in data.dense_blocks():
            x = objective.standard(rows) * np.sqrt(lowest(objective, at))[:, None]
            H += x.T @ x
        H = data.sum(H)
        H[np.diag_indices_from(H)] += objective.ridge[:, 0]
        factor = Factor.of(H)
        if factor.damping > 1e-9:
            return cls._wide(objective, double)
        root = linalg.solve_triangular(factor.root, np.diag(1.0 / factor.scale), lower=True)
        rho = float(np.sqrt(double * objective.extent()) * np.linalg.norm(root, 2))
        return cls(factor, np.ones(0), np.zeros(0), 0.0, rho)

    def bound(self, objective: Objective, decrement: float) -> float:
        """The bound for exponential losses: from the quick ρ if that is good, else from every row."""
        quick = exponential(decrement, self.rho, most=0.1)
        if np.isfinite(quick) or self.factor is None:
            return quick if np.isfinite(quick) else exponential(decrement, self.rho)
        double = 2.0 if objective.K > 1 else 1.0
        root = linalg.solve_triangular(self.factor.root, np.diag(1.0 / self.factor.scale), lower=True)
        return exponential(decrement, float(np.sqrt(double * objective.largest_rows(root))))

    @classmethod
    def _wide(cls, objective: Objective, double: float) -> Floor:
        data, d = objective.data, objective.data.d
        ridge = objective.ridge[:d, 0]
        nothing = cls(None, np.full(d, 1e-300), np.zeros(d), 1e-300 * objective.intercept, float("inf"))
        if np.any(ridge <= 0):
            return nothing
        mean, weight = np.zeros(d), 0.0
        if objective.intercept:
            rows, total = objective.collect(lowest(objective, slice(0, data.n))[:, None])
            weight = float(total[0])
            if not weight > 0:
                return nothing
            mean = rows[:, 0] / weight
        inverse = 1.0 / (ridge * objective.scale**2)
        largest = 0.0
        for _, X in data.slices():
            largest = max(largest, _largest_row(X, data.sparse, inverse))
        if data.reduce is not None:
            largest = float(data.sum(np.array([largest]))[0])
        # ‖x − centre‖ ≤ ‖x‖ + ‖centre‖, which leaves sparse rows sparse
        centre = mean * objective.scale + objective.shift
        length = (np.sqrt(largest) + np.sqrt(np.sum(centre**2 * inverse))) ** 2
        if weight > 0:
            length += 1.0 / weight
        return cls(None, ridge, mean, weight, float(np.sqrt(double * length)))


def _largest_row(X, sparse: bool, inverse: ndarray) -> float:
    """The largest Σⱼ xⱼ² inverseⱼ of the rows."""
    if sparse:
        squares = X.data.astype(np.float64) ** 2 * inverse[X.indices]
        starts = X.indptr[:-1][np.diff(X.indptr) > 0]
        return float(np.add.reduceat(squares, starts).max(initial=0.0)) if len(starts) else 0.0
    parts = (X[at] for at in blocks(X.shape[0], block_size(X.shape[1])))
    return max(float((np.square(part, dtype=np.float64) @ inverse).max(initial=0.0)) for part in parts)


def lowest(objective: Objective, at: slice) -> ndarray:
    """sᵢ times the smallest curvature of each row."""
    return objective.curvatures(at).min(1)


def remainder(objective: Objective, floor: Floor, r: ndarray) -> float:
    """An upper bound of rᵀ H⁻¹ r."""
    if objective.K == 1:
        return float(np.sum(r * floor.solve(r)))
    mean = r.mean(1, keepdims=True)
    apart = r - mean
    ridge = objective.ridge
    common = objective.K * float(np.sum(np.divide(mean * mean, ridge, out=np.zeros_like(mean), where=ridge > 0)))
    return float(np.sum(apart * floor.solve(apart))) + common
