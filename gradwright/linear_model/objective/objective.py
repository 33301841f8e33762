"""Objective: the weighted mean loss of a linear model plus an L2 penalty, in coordinates that are well scaled.

    F(W, b) = Σᵢ sᵢ ℓ(xᵢ W + b + offsetᵢ, yᵢ) + ½ Σⱼ λⱼ ‖Wⱼ‖²,     Σᵢ sᵢ = 1

Solvers see θ of shape (d + 1, K), or (d, K) without intercept: Wⱼ = θⱼ / scaleⱼ and b = θ_d − shift · W. Columns are
thus centred and scaled without a copy of X, and sparse X stays sparse.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import kernels
from gradwright.linear_model.data.data import Data
from gradwright.linear_model.losses import Loss
from gradwright.linear_model.objective import curvature


class Objective:
    """F with its derivatives; it keeps the predictions Z of the last θ and their last change D.

    Args:
        data: rows of X.
        loss: ℓ.
        y: targets, shape (n,), float64.
        s: weights, shape (n,), that sum to 1 over all processes, or None for equal ones.
        offset: added to predictions, shape (n, K), or None.
        l2: λ of each column, shape (d,), at least zero.
        intercept: whether b is free.
        K: predictions of a row.
        u: multipliers of ``Envelope``, shape (n,).
    """

    def __init__(self, data: Data, loss: Loss, y, s, offset, l2, intercept: bool, K: int, u=None, frame=None):
        self.data, self.loss, self.y, self.s, self.offset, self.u = data, loss, y, s, offset, u
        self.intercept, self.K = intercept, K
        shift, self.scale = data.shift_and_scale() if frame is None else frame
        self.frame = (shift, self.scale)
        self.shift = shift if intercept else np.zeros(data.d)
        self.inverse = 1.0 / self.scale
        self.p = data.d + intercept
        rows = float(data.sum(np.array([data.n]))[0])
        self.rows, self.unit = rows, 1.0 / rows if s is None else 1.0
        self.penalise(l2)
        self.least = self._least()
        self.compute = np.dtype(data.dtype)
        self.Z = np.zeros((data.n, K), self.compute)
        self.D = np.zeros((data.n, K), np.float32)
        self.evaluations = self.products = 0
        self._extent: float | None = None

    def penalise(self, l2: ndarray) -> None:
        """Set λ; nothing else depends on it, so a path of penalties shares one objective."""
        self.l2 = np.asarray(l2, np.float64)
        self.ridge = np.append(self.l2 / self.scale / self.scale, [0.0] * self.intercept)[:, None]

    def _least(self) -> float:
        s = np.full(self.data.n, 1.0) if self.s is None else self.s
        return float(self.data.sum(np.array([self.loss.least(self.y, s)]))[0]) * self.unit

    def use(self, compute) -> None:
        """Compute predictions in this type from now on; ``evaluate`` renews them."""
        self.compute = np.dtype(compute)
        del self.Z  # before the new ones are there, or both would count
        self.Z = np.zeros(self.D.shape, self.compute)

    def weights(self, theta: ndarray) -> tuple[ndarray, ndarray]:
        """W (d, K) and b (K,) of θ."""
        W = theta[: self.data.d] / self.scale[:, None]
        b = (theta[-1] if self.intercept else np.zeros(self.K)) - self.shift @ W
        return W, b

    def theta(self, W: ndarray, b: ndarray) -> ndarray:
        """θ of W and b."""
        top = W * self.scale[:, None]
        return np.vstack([top, b + self.shift @ W]) if self.intercept else top

    def _pull(self, G: ndarray, gb: ndarray) -> ndarray:
        top = (G - self.shift[:, None] * gb) / self.scale[:, None]
        return (np.vstack([top, gb]) if self.intercept else top) * self.unit

    def evaluate(self, theta: ndarray) -> tuple[float, ndarray]:
        """F and its gradient at θ by one pass over X; Z and D are renewed."""
        W, b = self.weights(theta)
        self.evaluations += 1
        with np.errstate(over="ignore", invalid="ignore"):
            total, G, gb = self.data.run(
                kernels.EVALUATE, self.loss, W, b, self.y, self.s, self.offset, self.u, self.Z, self.D
            )
            value = total * self.unit - self.least + 0.5 * float(np.sum(self.ridge * theta * theta))
            return value, self._pull(G, gb) + self.ridge * theta

    def product(self, V: ndarray) -> ndarray:
        """The Hessian at Z times V, by one pass over X."""
        W, b = self.weights(V)
        self.products += 1
        _, G, gb = self.data.run(kernels.CURVE, self.loss, W, b, self.y, self.s, self.offset, self.u, self.Z, self.D)
        return self._pull(G, gb) + self.ridge * V

    def collect(self, v: ndarray) -> tuple[ndarray, ndarray]:
        """Σ vᵢ xᵢ in the coordinates of θ, shape (d, K), and Σ vᵢ, for v of shape (n, K)."""
        G, gb = np.zeros((self.data.d, v.shape[1])), np.zeros(v.shape[1])
        for at, X in self.data.slices():
            size = max(1, 2**16 * X.shape[0] // max(X.nnz, 1)) if self.data.sparse else kernels.block_size(self.data.d)
            for part in kernels.blocks(X.shape[0], size):
                own = v[at.start + part.start : at.start + part.stop]
                G += np.asarray(X[part].T @ own)
                gb += own.sum(0)
        packed = self.data.sum(np.concatenate([G.ravel(), gb]))
        G, gb = packed[: G.size].reshape(G.shape), packed[G.size :]
        return (G - self.shift[:, None] * gb) / self.scale[:, None], gb

    def along(self, step: float, theta: ndarray, d: ndarray) -> tuple[float, float, float]:
        """Change of F from θ to θ + step d, with slope and curvature there, where Z belongs to θ and D to d."""
        kept = self.data.sum(np.array(kernels.along(self.loss, self.Z, self.D, step, self.y, self.s, self.u)))
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
        u = None if self.u is None else self.u[at]
        y = self.y[at]
        _, _, curve = self.loss.rows(self.Z[at], y, u)
        s = np.full(len(curve), self.unit) if self.s is None else self.s[at]
        if least > 0 and self.loss.shape == "pieces":
            s = s * (self.loss.margin(self.Z[at][:, 0].astype(np.float64), y, u) > least)
        return curve * s[:, None]

    def standard(self, rows: ndarray, dtype: type = np.float64) -> ndarray:
        """Rows of X in the coordinates of θ; in float32 each entry is rounded once, since the shift is of X's type."""
        out = np.empty((len(rows), self.p), dtype)
        top = out[:, : self.data.d]
        exact = np.float64 if rows.dtype != np.float32 else dtype
        np.subtract(rows, self.shift.astype(exact), out=top, dtype=exact, casting="same_kind")
        top *= self.inverse.astype(dtype)  # powers of two: exact
        if self.intercept:
            out[:, -1] = 1.0
        return out

    def second(self, at: slice, scale: float) -> ndarray:
        """Second derivatives of rows by their predictions, times sᵢ and ``scale``, as ``kernels.weights`` has them."""
        cut = (None if self.s is None else self.s[at], None if self.u is None else self.u[at])
        return kernels.weights(self.loss, self.Z[at], self.y[at], *cut, scale * self.unit, self.data.n)

    def gram(self, weights: Callable[[slice], ndarray], dtype: type = np.float64) -> ndarray:
        """Σ wᵢ xᵢ xᵢᵀ over all rows in the coordinates of θ, (p, p); weights are called with the place of rows."""
        # weights of a mean over many rows would be lost in float32
        H = curvature.grams(self, lambda at: weights(at)[None] * self.rows, 1, dtype)[0]
        return self.data.sum(H / self.rows)

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
            H = self.data.sum(curvature.softmax_hessian(self, dtype))
        H[np.diag_indices_from(H)] += np.tile(self.ridge[:, 0], K)
        if K > 1:
            free = np.where(self.ridge[:, 0] == 0, np.diag(H).reshape(K, p).mean(0), 0.0)
            for j in np.flatnonzero(free):
                H[j::p, j::p] += free[j] / K
        return H

    def row_weights(self) -> ndarray:
        """sᵢ of every row here."""
        return np.full(self.data.n, self.unit) if self.s is None else self.s

    def found_longest(self, square: float, dtype: type) -> None:
        """Take note of the largest ‖x‖² of a standardised row here, as computed in ``dtype``."""
        if self.data.reduce is None:
            self._extent = square * (1.0 + (self.p + 4) * float(np.finfo(dtype).eps))

    def extent(self) -> float:
        """At least ‖x‖² of every standardised row x: from a pass that saw them all, or from the columns' extremes."""
        if self._extent is None:
            low, high = self.data.extremes()
            furthest = np.maximum(np.abs(low - self.shift), np.abs(high - self.shift)) / self.scale
            self._extent = float(self.data.sum(np.array([furthest @ furthest]))[0]) + self.intercept
        return self._extent

    def largest_rows(self, factor: ndarray) -> float:
        """At least the largest ‖Lx‖² of a standardised row x of positive weight, for ``factor`` L (r, p)."""
        largest, dtype = 0.0, self.data.dtype
        L = np.ascontiguousarray(factor.T, dtype)
        for at, rows in self.data.dense_blocks():
            y = self.standard(rows, dtype) @ L
            square = np.einsum("ij,ij->i", y, y)
            if self.s is not None:
                square = square[self.s[at] > 0]
            largest = max(largest, float(square.max(initial=0.0)))
        # what rounding may have taken: (p + 2) ulps of ‖L‖ ‖x‖
        slack = (self.p + 2) * float(np.finfo(dtype).eps) * float(np.linalg.norm(factor)) * np.sqrt(self.extent())
        largest = (np.sqrt(largest) + slack) ** 2
        return largest if self.data.reduce is None else float(self.data.sum(np.array([largest]))[0])
