"""Floor: a matrix below a Hessian too large to form, for the proof of what conjugate gradients leave undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy import linalg

from gradwright.linear_model.certificate.bounds import QUICK, exponential
from gradwright.linear_model.certificate.factor import Factor
from gradwright.linear_model.data import block_size, blocks
from gradwright.linear_model.objective import Objective


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
        """The matrix's inverse times the columns of r (p, K)."""
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

        factor = Factor.below(gram, objective.design)
        if factor.damping > 1e-9:
            return cls._wide(objective, double)
        root = linalg.solve_triangular(factor.root, np.diag(1.0 / factor.scale), lower=True)
        rho = float(np.sqrt(double * objective.design.extent()) * np.linalg.norm(root, 2))
        return cls(factor, np.ones(0), np.zeros(0), 0.0, rho)

    def bound(self, objective: Objective, decrement: float) -> float:
        """The bound for exponential losses: from the quick ρ if that is good, else from every row."""
        quick = exponential(decrement, self.rho, QUICK)
        if np.isfinite(quick) or self.factor is None:
            return quick if np.isfinite(quick) else exponential(decrement, self.rho)
        double = 2.0 if objective.K > 1 else 1.0
        root = linalg.solve_triangular(self.factor.root, np.diag(1.0 / self.factor.scale), lower=True)
        return exponential(decrement, float(np.sqrt(double * objective.design.largest_rows(root, objective.s))))

    def remainder(self, objective: Objective, r: ndarray) -> float:
        """An upper bound of rᵀ H⁻¹ r."""
        if objective.K == 1:
            return float(np.sum(r * self.solve(r)))
        mean = r.mean(1, keepdims=True)
        apart = r - mean
        ridge = objective.ridge
        common = objective.K * float(np.sum(np.divide(mean * mean, ridge, out=np.zeros_like(mean), where=ridge > 0)))
        return float(np.sum(apart * self.solve(apart))) + common

    @classmethod
    def _wide(cls, objective: Objective, double: float) -> Floor:
        data, d = objective.data, objective.data.d
        ridge = objective.ridge[:d, 0]
        nothing = cls(None, np.full(d, 1e-300), np.zeros(d), 1e-300 * objective.design.intercept, float("inf"))
        if np.any(ridge <= 0):
            return nothing
        mean, weight = np.zeros(d), 0.0
        if objective.design.intercept:
            lows = np.concatenate([lowest(objective, at) for at in blocks(data.n, 4096)])
            rows, total = objective.design.collect(lows[:, None])
            weight = float(total[0])
            if not weight > 0:
                return nothing
            mean = rows[:, 0] / weight
        inverse = 1.0 / (ridge * objective.design.scale**2)
        largest = 0.0
        for _, X in data.slices():
            largest = max(largest, _largest_row(X, data.sparse, inverse))
        if data.reduce is not None:
            largest = float(data.sum(np.array([largest]))[0])
        # ‖x − centre‖ ≤ ‖x‖ + ‖centre‖, which leaves sparse rows sparse
        centre = mean * objective.design.scale + objective.design.shift
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
