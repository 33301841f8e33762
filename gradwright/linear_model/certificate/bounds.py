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

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy import linalg

from gradwright.linear_model.data.kernels import block_size, blocks
from gradwright.linear_model.objective.objective import Objective

QUICK = 0.6
"""λ ρ up to which the first estimate of ρ does: there it costs 3/10 of the bound, and a better one a pass over X."""


@dataclass
class Factor:
    """A Cholesky factor of H scaled to a unit diagonal, with a multiple ``damping`` of its diagonal added."""

    root: ndarray
    scale: ndarray
    damping: float

    @classmethod
    def of(cls, H: ndarray, least: float = 0.0, dtype: type = np.float64) -> Factor:
        """Factor H in ``dtype`` with the smallest damping that works, ``least`` or more."""
        diagonal = np.diag(H)
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        # in column order LAPACK works in place; H is symmetric, so that nothing else changes
        C = np.empty(H.shape, dtype, order="F")
        damping = least
        while True:
            np.divide(H, scale[:, None], out=C.T, casting="same_kind")
            C /= scale[:, None].astype(dtype)
            C[np.diag_indices_from(C)] = 1.0 + damping
            try:
                root = linalg.cholesky(C, lower=True, overwrite_a=True, check_finite=False)
                return cls(root, scale, damping)
            except linalg.LinAlgError:
                damping = max(0.1 * float(np.finfo(dtype).eps) ** 0.85, damping * 100)

    def solve(self, g: ndarray) -> ndarray:
        """H⁻¹ g for a vector or the columns of a matrix."""
        if g.ndim == 2:
            column = self.scale[:, None]
            return linalg.cho_solve((self.root, True), g / column, check_finite=False) / column
        # a solve for one vector only reads the factor; cho_solve would copy it
        trsv = linalg.get_blas_funcs("trsv", (self.root,))
        half = trsv(self.root, (g / self.scale).astype(self.root.dtype), lower=1, overwrite_x=1)
        return trsv(self.root, half, lower=1, trans=1, overwrite_x=1) / self.scale

    def inverse(self) -> ndarray:
        potri = linalg.get_lapack_funcs("potri", (self.root,))
        lower, _ = potri(self.root, lower=1)
        out = np.tril(lower) / self.scale[:, None] / self.scale
        return out + np.tril(out, -1).T


def below(gram: Callable[[type], ndarray], objective: Objective, damping: float = 0.0) -> Factor:
    """A factor of a matrix at most the Gram matrix that ``gram`` answers for a type of its products.

    A sum of m products in float32 is off by at most m ulps of the sum of their absolute values, so a Gram matrix of
    unit diagonal by that in every entry. Less p times as much on its diagonal it is below the true one; where it is
    still positive definite then, the work is half.
    """
    m = max(64, 2**16 // max(objective.data.d, 1))
    off = 2.0 * (objective.p + 1) * (m + 4) * float(np.finfo(np.float32).eps)
    if damping == 0 and objective.data.dtype == np.float32 and objective.rows * objective.p**2 >= 1e7 and off < 0.1:
        factor = Factor.of(gram(np.float32), -off)
        if factor.damping < 0:
            return factor
    return Factor.of(gram(np.float64), damping)


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
        quick = float(np.linalg.norm(shape, 2) * np.sqrt(objective.extent()))
        bound = exponential(decrement, quick, QUICK)
        if not np.isfinite(bound):
            bound = exponential(decrement, float(np.sqrt(objective.largest_rows(shape))))
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
    return float(np.sqrt(objective.largest_rows(ellipsoid(objective, factor))))


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
        double = 2.0 if objective.K > 1 else 1.0
        if not whole:
            return cls._wide(objective, double)

        def gram(dtype: type) -> ndarray:
            H = objective.gram(lambda at: lowest(objective, at), dtype)
            H[np.diag_indices_from(H)] += objective.ridge[:, 0]
            return H

        factor = below(gram, objective)
        if factor.damping > 1e-9:
            return cls._wide(objective, double)
        root = linalg.solve_triangular(factor.root, np.diag(1.0 / factor.scale), lower=True)
        rho = float(np.sqrt(double * objective.extent()) * np.linalg.norm(root, 2))
        return cls(factor, np.ones(0), np.zeros(0), 0.0, rho)

    def bound(self, objective: Objective, decrement: float) -> float:
        """The bound for exponential losses: from the quick ρ if that is good, else from every row."""
        quick = exponential(decrement, self.rho, QUICK)
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
            lows = np.concatenate([lowest(objective, at) for at in blocks(data.n, 4096)])
            rows, total = objective.collect(lows[:, None])
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
        largest, size = 0.0, max(1, 2**17 * X.shape[0] // max(X.nnz, 1))
        for part in blocks(X.shape[0], size):
            low, high = X.indptr[part.start], X.indptr[part.stop]
            squares = np.square(X.data[low:high], dtype=np.float64) * inverse[X.indices[low:high]]
            ends = X.indptr[part.start : part.stop + 1] - low
            starts = ends[:-1][np.diff(ends) > 0]
            if len(starts):
                largest = max(largest, float(np.add.reduceat(squares, starts).max()))
        return largest
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
