"""Data: the rows of X, in memory, on disk or from an iterator of chunks, and what is summed over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import kernels
from gradwright.linear_model.data.device_rows import DeviceRows
from gradwright.linear_model.data.row_blocks import blocks
from gradwright.linear_model.data.row_loss import RowLoss

SAMPLE = 4096
"""Rows from which shift, scale and preconditioner are estimated; any estimate is valid, a good one is fast."""


@dataclass
class Data:
    """Rows of X as parts that are walked over anew for every pass.

    Args:
        parts: called without arguments, gives the parts in order, each an array or CSR matrix with d columns.
        n: rows here.
        d: columns.
        dtype: float32 or float64.
        nnz: entries here.
        sparse: whether parts are CSR matrices.
        reduce: sums an array over processes, or None for one process.
        device: whether parts are ``DeviceRows``.
    """

    parts: Callable[[], Iterator[Any]]
    n: int
    d: int
    dtype: np.dtype
    nnz: int
    sparse: bool = False
    reduce: Callable[[ndarray], ndarray] | None = None
    device: bool = False
    _extremes: tuple[ndarray, ndarray] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, X: Any, reduce: Callable[[ndarray], ndarray] | None = None) -> Data:
        """The data of one array or CSR matrix."""
        sparse = hasattr(X, "indptr")
        nnz = X.nnz if sparse else X.shape[0] * X.shape[1]
        return cls(
            lambda: iter((X,)),
            X.shape[0],
            X.shape[1],
            np.dtype(X.dtype),
            nnz,
            sparse,
            reduce,
            isinstance(X, DeviceRows),
        )

    def sum(self, values: ndarray) -> ndarray:
        """The sum of an array over processes."""
        return values if self.reduce is None else self.reduce(np.asarray(values, np.float64))

    def slices(self) -> Iterator[tuple[slice, Any]]:
        """The parts with the place of their rows."""
        low = 0
        for part in self.parts():
            yield slice(low, low + part.shape[0]), part
            low += part.shape[0]
        if low != self.n:
            raise ValueError(
                f"X gave {low} rows in this pass and {self.n} before; give the same rows in every pass, by a new "
                "iterator"
            )

    def run(self, mode: int, terms: RowLoss, W, b, Z, D) -> tuple[float, ndarray, ndarray]:
        """One pass: sum of losses, gradient (d, K) of the weights and (K,) of the intercepts, over all processes.

        Arguments are those of ``kernels.rows_pass``, of all rows.
        """
        K = W.shape[1]
        G, gb, total = np.zeros((self.d, K)), np.zeros(K), 0.0
        for at, X in self.slices():
            total += kernels.rows_pass(mode, X, terms.at(at), W, b, Z[at], None if D is None else D[at], G, gb)
        if self.reduce is not None and mode != kernels.PREDICT:
            packed = self.sum(np.concatenate([[total], G.ravel(), gb]))
            total, G, gb = float(packed[0]), packed[1 : 1 + G.size].reshape(G.shape), packed[1 + G.size :]
        return total, G, gb

    def dense_blocks(self, size: int | None = None) -> Iterator[tuple[slice, ndarray]]:
        """Blocks of rows as arrays of X's own type, with their place; copies of one in double stay in the cache."""
        size = max(64, 2**16 // max(self.d, 1)) if size is None else size
        for at, X in self.slices():
            for part in blocks(X.shape[0], size):
                rows = X[part].toarray() if self.sparse else X[part]
                yield slice(at.start + part.start, at.start + part.stop), np.asarray(rows)

    def extremes(self) -> tuple[ndarray, ndarray]:
        """The least and the largest value of each column here, (d,) each; found once."""
        if self._extremes is None:
            low, high = np.full(self.d, np.inf), np.full(self.d, -np.inf)
            for least, largest in self._bounds():
                low, high = np.minimum(low, least), np.maximum(high, largest)
            self._extremes = low, high
        return self._extremes

    def _bounds(self) -> Iterator[tuple[ndarray, ndarray]]:
        if self.device:
            yield from (X.extremes() for _, X in self.slices())
        else:
            yield from ((rows.min(0), rows.max(0)) for _, rows in self.dense_blocks())

    def entries(self) -> Iterator[tuple[ndarray, ndarray]]:
        """Columns and values, in double, of the entries of sparse X, some at a time."""
        for _, X in self.slices():
            for part in blocks(len(X.data), 2**17):
                yield X.indices[part], X.data[part].astype(np.float64)

    def sample(self) -> tuple[ndarray, ndarray]:
        """Evenly spread rows, dense, with their places."""
        step = max(1, -(-self.n // max(SAMPLE, 40 * self.d)))
        places, rows = [], []
        for at, X in self.slices():
            first = -at.start % step
            own = X[first::step]
            rows.append(np.asarray(own.toarray() if self.sparse else own))
            places.append(np.arange(at.start + first, at.stop, step))
        return np.concatenate(rows), np.concatenate(places)

    def shift_and_scale(self) -> tuple[ndarray, ndarray]:
        """A shift and a power of two near the spread of each column; exact for sparse data, else from a sample."""
        count, first, second, peak = 0.0, np.zeros(self.d), np.zeros(self.d), np.zeros(self.d)
        if self.sparse:
            # squares of float32 numbers have room in double; those of larger ones are taken of parts of the largest
            narrow = self.dtype == np.float32
            for columns, values in () if narrow else self.entries():
                np.maximum.at(peak, columns, np.abs(values))
            peak = self._largest(peak)
            safe = np.where(peak > 0, peak, 1.0)
            for columns, values in self.entries():
                if not narrow:
                    values /= safe[columns]
                first += np.bincount(columns, values, self.d)
                second += np.bincount(columns, values * values, self.d)
            count = float(self.n)
        else:
            rows, _ = self.sample()
            peak = self._largest(np.abs(rows).max(0, initial=0.0))
            safe = np.where(peak > 0, peak, 1.0)
            rows = rows.astype(np.float64)
            rows /= safe
            count, first = float(len(rows)), rows.sum(0)
        packed = self.sum(np.concatenate([[count], first, second]))
        mean = packed[1 : 1 + self.d] / packed[0]
        if not self.sparse:
            rows -= mean
            local = np.einsum("ij,ij->j", rows, rows)
            variance = self.sum(local) / packed[0]
        else:
            variance = np.maximum(packed[1 + self.d :] / packed[0] - mean * mean, 0.0)
        spread = np.sqrt(variance) * safe
        usual = np.abs(mean) * safe
        other = np.where(peak > 0, peak, np.where(usual > 0, usual, 1.0))
        spread = np.where(spread > 1e-9 * usual, spread, other)
        # of X's own type, so that x less the shift is rounded once at most
        return (mean * safe).astype(self.dtype).astype(np.float64), np.exp2(np.round(np.log2(spread)))

    def _largest(self, values: ndarray) -> ndarray:
        if self.reduce is None:
            return values
        # the largest of all by a sum: the maximum is only a scale, so that twice too large is fine
        return self.sum(values)
