"""Rows of X on another device: products are computed there, and only what has a number for each row crosses over.

X stays where it is and is never copied whole. What a fit needs rarely and of few rows (a sample, columns of a working
set) is fetched block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

AT_ONCE = 2**22
"""Numbers of X that a block holds at most where they have to be converted."""

TYPES = {np.dtype(np.float32): torch.float32, np.dtype(np.float64): torch.float64}
NAMES = {kind: name for name, kind in TYPES.items()}


class DeviceRows:
    """A matrix on a device, with as much of numpy's interface as passes over rows use.

    Args:
        X: float32 or float64, shape (n, d).
    """

    def __init__(self, X: Tensor) -> None:
        self.X = X

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self.X.shape[0], self.X.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return NAMES[self.X.dtype]

    @property
    def nbytes(self) -> int:
        """Bytes of X on the device."""
        return self.X.numel() * self.X.element_size()

    def __len__(self) -> int:
        return self.X.shape[0]

    def __getitem__(self, rows: Any) -> DeviceRows:
        if isinstance(rows, np.ndarray):
            rows = torch.from_numpy(rows).to(self.X.device)
        return DeviceRows(self.X[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:
        found = self.X.cpu().numpy()
        return found if dtype is None else found.astype(dtype)

    def astype(self, kind: Any) -> DeviceRows:
        """Itself: products are computed in the type of the other operand."""
        return self

    @property
    def T(self) -> Columns:
        """Xᵀ."""
        return Columns(self)

    def __matmul__(self, W: ndarray) -> ndarray:
        """X W in the type of W, shape (n, K), on the host."""
        weights = self._there(W)
        out = torch.empty(len(self), W.shape[1], dtype=weights.dtype, device=self.X.device)
        for at in self._blocks(weights.dtype):
            torch.matmul(self.X[at].to(weights.dtype), weights, out=out[at])
        return out.cpu().numpy()

    def collect(self, v: ndarray) -> ndarray:
        """Xᵀ v, shape (d, K), on the host: products in the type of v, sums of blocks in double."""
        there = self._there(v)
        total = torch.zeros(self.shape[1], v.shape[1], dtype=torch.float64, device=self.X.device)
        for at in self._blocks(None):
            total += (self.X[at].to(there.dtype).T @ there[at]).double()
        return total.cpu().numpy()

    def grams(self, shift: ndarray, inverse: ndarray, intercept: bool, weights: ndarray, dtype: Any) -> ndarray:
        """Σ w xᵢ xᵢᵀ of standardised rows for each of the weights (pairs, n), shape (pairs, p, p), on the host."""
        kind = TYPES[np.dtype(dtype)]
        from_, by, w = self._there(shift), self._there(inverse), self._there(weights)
        exact = kind if self.X.dtype == torch.float32 else torch.float64
        p = self.shape[1] + intercept
        total = torch.zeros(len(weights), p, p, dtype=torch.float64, device=self.X.device)
        for at in self._blocks(None):
            x = (self.X[at].to(exact) - from_.to(exact)).to(kind) * by.to(kind)
            if intercept:
                x = torch.cat([x, torch.ones_like(x[:, :1])], 1)
            for pair, row in enumerate(w):
                total[pair] += ((x * row[at, None].to(kind)).T @ x).double()
        return total.cpu().numpy()

    def extremes(self) -> tuple[ndarray, ndarray]:
        """The least and the largest value of each column, (d,) each, on the host."""
        return self.X.amin(0).double().cpu().numpy(), self.X.amax(0).double().cpu().numpy()

    def unfit(self) -> tuple[int, int] | None:
        """Row and column of the first entry that is missing or infinite, or None."""
        for at in self._blocks(None):
            bad = (~self.X[at].isfinite()).nonzero()
            if len(bad):
                row, column = bad[0].tolist()
                return at.start + row, column
        return None

    def _there(self, array: ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.X.device)

    def _blocks(self, kind: torch.dtype | None) -> list[slice]:
        n, d = self.shape
        size = max(1, n) if kind == self.X.dtype else max(1024, AT_ONCE // max(d, 1))
        return [slice(low, min(low + size, n)) for low in range(0, n, size)]


@dataclass(frozen=True)
class Columns:
    """Xᵀ of rows on a device, for its products."""

    rows: DeviceRows

    def __matmul__(self, v: ndarray) -> ndarray:
        return self.rows.collect(v)


def stays(value: Any) -> bool:
    """Whether a value is a dense tensor on a device that has double precision, so that X is computed with there."""
    return isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type in ("cuda", "xpu")


def of(X: Tensor) -> DeviceRows:
    """Rows of a tensor; one that is neither float32 nor float64 is converted where it lies, as scikit-learn would."""
    X = X.detach()
    if X.dtype in (torch.bfloat16, torch.float16):
        X = X.float()
    return DeviceRows(X if X.dtype in NAMES else X.double())
