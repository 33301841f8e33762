"""Floor: a matrix below a Hessian too large to form, for the proof of what conjugate gradients leave undone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy import ndarray
from scipy import linalg

from gradwright.linear_model.certificate.bounds import QUICK, Bound, centred, exponential, fallback, off
from gradwright.linear_model.certificate.factor import Factor
from gradwright.linear_model.certificate.rounding import ULP, Rounding
from gradwright.linear_model.data import blocks
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
    row: float | None = None
    """At least the norm of a row in the inverse, every sign free; None where the inverse's diagonal tells enough."""

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
        if factor is None:
            factor = Factor.certain(gram(np.float64), off(objective, objective.p))
        if factor is None:
            return cls._wide(objective, double)
        root = linalg.solve_triangular(factor.root, np.diag(1.0 / factor.scale), lower=True)
        rho = float(np.sqrt(double * objective.design.extent()) * np.linalg.norm(root, 2))
        return cls(factor, np.ones(0), np.zeros(0), 0.0, rho)

    def bound(self, objective: Objective, value: float, theta: ndarray, g: ndarray, x: ndarray) -> Bound:
        """The bound of F(θ) less its minimum, from x near H⁻¹ g, by one product with H.

        gᵀ H⁻¹ g = 2 gᵀx − xᵀHx + rᵀH⁻¹r with r = g − H x, and the floor bounds what is left.
        """
        rounding = Rounding.at(objective, theta, value)
        rest = fallback(objective, value, g, theta, rounding)
        if objective.loss.shape == "pieces" or not np.isfinite(value) or not rounding.prediction < 0.1:
            return Bound(rest, exhausted=not np.isfinite(value))
        flat, common = centred(objective, g, theta)
        g = flat.reshape(objective.K, objective.p).T
        x = x - x.mean(1, keepdims=True) if objective.K > 1 else x
        Hx = objective.product(x)
        r = g - Hx
        r = r - r.mean(1, keepdims=True) if objective.K > 1 else r
        widths, row = self.widths(), self.row
        bent = max(float(np.sum(x * Hx)), 0.0)
        known = max(float(np.sum(g * x) + np.sum(r * x)), 0.0) * (1.0 + 16.0 * ULP)
        wrong = rounding.along(objective, theta, widths, row)
        # the product's own sums, of h times what predictions move
        product = replace(rounding, slopes=float(np.sqrt(rounding.bend * bent)), prediction=0.0)
        left = float(np.sqrt(max(float(np.sum(r * self.solve(r))), 0.0))) + product.along(objective, x, widths, row)
        lam = float(np.sqrt(known + left * left)) + wrong
        grown = np.exp(2.0 * rounding.prediction) if objective.loss.shape == "exponential" else 1.0
        decrement, slack = grown * lam * lam, common + 4.0 * ULP * value
        exhausted = wrong > 0.5 * lam
        if objective.loss.shape == "quadratic":
            return Bound(min(rest, 0.5 * decrement + slack), exhausted)
        found = exponential(decrement, float(np.sqrt(grown)) * self.rho, QUICK)
        if not np.isfinite(found):
            found = exponential(decrement, float(np.sqrt(grown)) * self.rows(objective))
        return Bound(min(rest, found + slack), exhausted)

    def rows(self, objective: Objective) -> float:
        """ρ from every row, where there is a factor."""
        if self.factor is None:
            return self.rho
        double = 2.0 if objective.K > 1 else 1.0
        root = linalg.solve_triangular(self.factor.root, np.diag(1.0 / self.factor.scale), lower=True)
        return float(np.sqrt(double * objective.design.largest_rows(root, objective.s)))

    def widths(self) -> ndarray:
        """At least the diagonal of the matrix's inverse, (p, 1)."""
        if self.factor is not None:
            return np.diag(self.factor.inverse())[:, None].copy()
        if self.weight == 0:
            return 1.0 / self.ridge[:, None]
        last = 1.0 / self.weight + float(np.sum(self.mean**2 / self.ridge))
        return np.append(1.0 / self.ridge, last)[:, None]

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
        largest = objective.design.longest_row(inverse)
        # ‖x − centre‖ ≤ ‖x‖ + ‖centre‖, which leaves sparse rows sparse
        centre = mean * objective.design.scale + objective.design.shift
        length = (np.sqrt(largest) + np.sqrt(np.sum(centre**2 * inverse))) ** 2
        if weight > 0:
            length += 1.0 / weight
        return cls(None, ridge, mean, weight, float(np.sqrt(double * length)), float(np.sqrt(length)))


def lowest(objective: Objective, at: slice) -> ndarray:
    """sᵢ times the smallest curvature of each row."""
    return objective.curvatures(at).min(1)
