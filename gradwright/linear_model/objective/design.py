"""Design: the matrix that coefficients meet, X centred, scaled and with a column of ones, and its products.

    x̃ᵢ = ((xᵢ − shift) / scale, 1),     Wⱼ = θⱼ / scaleⱼ,     b = θ_d − shift · W

Nothing is copied: X stays as it is, and sparse X stays sparse.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import Data, block_size, blocks


class Design:
    """X in the coordinates of θ, which has d rows, or d + 1 with an intercept.

    Args:
        data: rows of X.
        intercept: whether there is a column of ones, and with it a shift.
        frame: shift and scale of each column, (d,) each; None to find them.

    Attributes:
        p: rows of θ.
        rows: rows of X over all processes.
        shift, scale, inverse: (d,) each; scales are powers of two, so that dividing by them is exact.
    """

    def __init__(self, data: Data, intercept: bool, frame: tuple[ndarray, ndarray] | None = None) -> None:
        self.data, self.intercept = data, intercept
        self.frame = data.shift_and_scale() if frame is None else frame
        self.shift, self.scale = self.frame if intercept else (np.zeros(data.d), self.frame[1])
        self.inverse = 1.0 / self.scale
        self.p = data.d + intercept
        self.rows = float(data.sum(np.array([data.n]))[0])
        self._extent: float | None = None

    def weights(self, theta: ndarray) -> tuple[ndarray, ndarray]:
        """W (d, K) and b (K,) of θ (p, K)."""
        W = theta[: self.data.d] / self.scale[:, None]
        b = (theta[-1] if self.intercept else np.zeros(theta.shape[1])) - self.shift @ W
        return W, b

    def theta(self, W: ndarray, b: ndarray) -> ndarray:
        """θ of W and b."""
        top = W * self.scale[:, None]
        return np.vstack([top, b + self.shift @ W]) if self.intercept else top

    def pull(self, G: ndarray, gb: ndarray) -> ndarray:
        """A gradient (p, K) in θ from those by W (d, K) and b (K,)."""
        top = (G - self.shift[:, None] * gb) / self.scale[:, None]
        return np.vstack([top, gb]) if self.intercept else top

    def standard(self, rows: ndarray, dtype: type = np.float64) -> ndarray:
        """Rows x̃ of rows of X; in float32 each entry is rounded once, since the shift is of X's type."""
        out = np.empty((len(rows), self.p), dtype)
        top = out[:, : self.data.d]
        exact = np.float64 if rows.dtype != np.float32 else dtype
        np.subtract(rows, self.shift.astype(exact), out=top, dtype=exact, casting="same_kind")
        top *= self.inverse.astype(dtype)  # powers of two: exact
        if self.intercept:
            out[:, -1] = 1.0
        return out

    def collect(self, v: ndarray) -> tuple[ndarray, ndarray]:
        """Σ vᵢ x̃ᵢ without its last row, shape (d, K), and that, Σ vᵢ, for v of shape (n, K)."""
        data = self.data
        G, gb = np.zeros((data.d, v.shape[1])), np.zeros(v.shape[1])
        for at, X in data.slices():
            size = max(1, 2**16 * X.shape[0] // max(X.nnz, 1)) if data.sparse else block_size(data.d)
            for part in blocks(X.shape[0], size):
                own = v[at.start + part.start : at.start + part.stop]
                G += np.asarray(X[part].T @ own)
                gb += own.sum(0)
        packed = data.sum(np.concatenate([G.ravel(), gb]))
        G, gb = packed[: G.size].reshape(G.shape), packed[G.size :]
        return (G - self.shift[:, None] * gb) / self.scale[:, None], gb

    def sizes(self, v: ndarray, cancelled: ndarray) -> ndarray:
        """Σ vᵢ |xᵢ| / scale, shape (d, K), for v (n, K) ≥ 0, and what the shift takes off ``cancelled`` (K,)."""
        data = self.data
        out = np.zeros((data.d, v.shape[1]))
        for at, X in data.slices():
            size = max(1, 2**18 * X.shape[0] // max(X.nnz, 1)) if data.sparse else block_size(data.d)
            for part in blocks(X.shape[0], size):
                rows = X[part] if data.sparse else np.asarray(X[part])
                out += np.asarray(abs(rows).T @ v[at.start + part.start : at.start + part.stop])
        shifted = np.abs(self.shift)[:, None]
        return (data.sum(out) + shifted * (cancelled + v.sum(0))) / self.scale[:, None]

    def found_longest(self, square: float, dtype: type) -> None:
        """Take note of the largest ‖x̃‖² of a row here, as computed in ``dtype``."""
        if self.data.reduce is None:
            self._extent = square * (1.0 + (self.p + 4) * float(np.finfo(dtype).eps))

    def extent(self) -> float:
        """At least ‖x̃‖² of every row: from a pass that saw them all, or from the columns' extremes."""
        if self._extent is None:
            if self.data.sparse:
                largest = self.longest_row(self.inverse * self.inverse)
                self._extent = (largest**0.5 + float(np.linalg.norm(self.shift * self.inverse))) ** 2 + self.intercept
            else:
                low, high = self.data.extremes()
                furthest = np.maximum(np.abs(low - self.shift), np.abs(high - self.shift)) / self.scale
                self._extent = float(self.data.sum(np.array([furthest @ furthest]))[0]) + self.intercept
        return self._extent

    def longest_row(self, inverse: ndarray) -> float:
        """At least the largest Σⱼ xⱼ² inverseⱼ of the rows of X."""
        largest = max((_longest(X, self.data.sparse, inverse) for _, X in self.data.slices()), default=0.0)
        # a sum over processes is at least the largest of them
        return float(self.data.sum(np.array([largest * (1.0 + 1e-12)]))[0])

    def largest_rows(self, factor: ndarray, s: ndarray | None = None) -> float:
        """At least the largest ‖L x̃‖² of a row of positive weight s (n,), for ``factor`` L (r, p)."""
        largest, dtype = 0.0, self.data.dtype
        L = np.ascontiguousarray(factor.T, dtype)
        for at, rows in self.data.dense_blocks():
            y = self.standard(rows, dtype) @ L
            square = np.einsum("ij,ij->i", y, y)
            if s is not None:
                square = square[s[at] > 0]
            largest = max(largest, float(square.max(initial=0.0)))
        # what rounding may have taken: (p + 2) ulps of ‖L‖ ‖x̃‖
        slack = (self.p + 2) * float(np.finfo(dtype).eps) * float(np.linalg.norm(factor)) * np.sqrt(self.extent())
        largest = (np.sqrt(largest) + slack) ** 2
        return largest if self.data.reduce is None else float(self.data.sum(np.array([largest]))[0])


def _longest(X, sparse: bool, inverse: ndarray) -> float:
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
