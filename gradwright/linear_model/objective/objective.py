"""Objective: the weighted mean loss of a linear model plus an L2 penalty, in coordinates that are well scaled.

    F(W, b) = Σᵢ sᵢ ℓ(xᵢ W + b + offsetᵢ, yᵢ) + ½ Σⱼ λⱼ ‖Wⱼ‖²,     Σᵢ sᵢ = 1

Solvers see θ of shape (d + 1, K), or (d, K) without intercept; ``Design`` has what it is of W and b.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import RowLoss, kernels, line
from gradwright.linear_model.losses import Loss
from gradwright.linear_model.objective import gram
from gradwright.linear_model.objective.design import Design


class Objective:
    """F with its derivatives; it keeps the predictions Z of the last θ and their last change D.

    Args:
        design: X in the coordinates of θ.
        loss: ℓ.
        y: targets, shape (n,), float64.
        s: weights, shape (n,), that sum to 1 over all processes, or None for equal ones.
        offset: added to predictions, shape (n, K), or None.
        l2: λ of each column, shape (d,), at least zero.
        K: predictions of a row.
        u: multipliers of ``Envelope``, shape (n,).

    Attributes:
        ridge: λ in the coordinates of θ, shape (p, 1).
        unit: what a sum over rows is multiplied by: 1 where there are weights, else one over their number.
        evaluations, products: passes over X for F and its gradient, and for products with its Hessian.
    """

    def __init__(self, design: Design, loss: Loss, y, s, offset, l2: ndarray, K: int, u=None) -> None:
        self.design, self.data, self.p, self.K = design, design.data, design.p, K
        self.loss, self.y, self.s, self.offset, self.u = loss, y, s, offset, u
        self.unit = 1.0 / design.rows if s is None else 1.0
        ridge = np.asarray(l2, np.float64) / design.scale / design.scale
        self.ridge = np.append(ridge, [0.0] * design.intercept)[:, None]
        self.least = self._least()
        self.compute = np.dtype(self.data.dtype)
        self.Z = np.zeros((self.data.n, K), self.compute)
        self.D = np.zeros((self.data.n, K), np.float32)
        self.evaluations = self.products = 0

    @property
    def terms(self) -> RowLoss:
        """The loss of every row."""
        return RowLoss(self.loss, self.y, self.s, self.offset, self.u)

    def _least(self) -> float:
        s = np.full(self.data.n, 1.0) if self.s is None else self.s
        return float(self.data.sum(np.array([self.loss.least(self.y, s)]))[0]) * self.unit

    def use(self, compute) -> None:
        """Compute predictions in this type from now on; ``evaluate`` renews them."""
        self.compute = np.dtype(compute)
        del self.Z  # before the new ones are there, or both would count
        self.Z = np.zeros(self.D.shape, self.compute)

    def evaluate(self, theta: ndarray) -> tuple[float, ndarray]:
        """F and its gradient at θ by one pass over X; Z and D are renewed."""
        W, b = self.design.weights(theta)
        self.evaluations += 1
        with np.errstate(over="ignore", invalid="ignore"):
            total, G, gb = self.data.run(kernels.EVALUATE, self.terms, W, b, self.Z, self.D)
            value = total * self.unit - self.least + 0.5 * float(np.sum(self.ridge * theta * theta))
            return value, self.design.pull(G, gb) * self.unit + self.ridge * theta

    def product(self, V: ndarray) -> ndarray:
        """The Hessian at Z times V, by one pass over X."""
        W, b = self.design.weights(V)
        self.products += 1
        _, G, gb = self.data.run(kernels.CURVE, self.terms, W, b, self.Z, self.D)
        return self.design.pull(G, gb) * self.unit + self.ridge * V

    def along(self, step: float, theta: ndarray, d: ndarray) -> tuple[float, float, float]:
        """Change of F from θ to θ + step d, with slope and curvature there, where Z belongs to θ and D to d."""
        kept = self.data.sum(np.array(line.along(self.terms, self.Z, self.D, step)))
        kept = kept * self.unit
        cross, square = float(np.sum(self.ridge * theta * d)), float(np.sum(self.ridge * d * d))
        return (
            kept[0] + step * cross + 0.5 * step * step * square,
            kept[1] + cross + step * square,
            kept[2] + square,
        )

    def curvatures(self, at: slice | ndarray, least: float = 0.0) -> ndarray:
        """sᵢ ℓ'' of rows, shape (m, K); for softmax sᵢ times the probabilities.

        Rows of a loss with kinks count only where a prediction may move by ``least`` before its curvature falls.
        """
        own = self.terms.at(at)
        _, _, curve = own.point(self.Z[at])
        s = np.full(len(curve), self.unit) if own.s is None else own.s
        if least > 0 and self.loss.shape == "pieces":
            s = s * (self.loss.margin(self.Z[at][:, 0].astype(np.float64), own.y, own.u) > least)
        return curve * s[:, None]

    def second(self, at: slice, scale: float) -> ndarray:
        """Second derivatives of rows by their predictions, times sᵢ and ``scale``, as ``line.weights`` has them."""
        return line.weights(self.terms.at(at), self.Z[at], scale * self.unit, self.data.n)

    def gram(self, weights: Callable[[slice], ndarray], dtype: type = np.float64) -> ndarray:
        """Σ wᵢ xᵢ xᵢᵀ over all rows in the coordinates of θ, (p, p); weights are called with the place of rows."""
        # weights of a mean over many rows would be lost in float32
        rows = self.design.rows
        H = gram.grams(self.design, lambda at: weights(at)[None] * rows, 1, dtype)[0]
        return self.data.sum(H / rows)

    def hessian(self, least: float = 0.0, dtype: type = np.float64) -> ndarray:
        """The whole Hessian at Z, (K p, K p), classes outermost, its products computed in ``dtype``.

        Directions along which a softmax does not change are given the curvature of their neighbours, so that it can be
        factored; no gradient has a part in them.
        """
        p, K = self.p, self.K
        if K == 1:
            known = least == 0.0 or self.loss.shape != "pieces"
            H = self.gram(lambda at: self.second(at, 1.0)[0] if known else self.curvatures(at, least)[:, 0], dtype)
        else:
            H = self.data.sum(self._softmax_hessian(dtype))
        H[np.diag_indices_from(H)] += np.tile(self.ridge[:, 0], K)
        if K > 1:
            free = np.where(self.ridge[:, 0] == 0, np.diag(H).reshape(K, p).mean(0), 0.0)
            for j in np.flatnonzero(free):
                H[j::p, j::p] += free[j] / K
        return H

    def _softmax_hessian(self, dtype: type) -> ndarray:
        """H_kl = Σᵢ sᵢ (pₖ [k = l] − pₖ pₗ) x̃ᵢ x̃ᵢᵀ over rows here, (K p, K p), classes outermost."""
        p, K, rows = self.p, self.K, self.design.rows
        k, l = np.tril_indices(K)  # noqa: E741 - the letters of the equation
        H = np.empty((K, p, K, p))
        # weights of a mean over many rows would be lost in float32
        blocks = gram.grams(self.design, lambda at: self.second(at, rows), len(k), dtype) / rows
        for block, row, column in zip(blocks, k, l):
            H[row, :, column] = block
            H[column, :, row] = block
        return H.reshape(K * p, K * p)

    def row_weights(self) -> ndarray:
        """sᵢ of every row here."""
        return np.full(self.data.n, self.unit) if self.s is None else self.s
