"""The loss of every row: a loss with what it needs of each row beside the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.losses import Loss


@dataclass(frozen=True)
class RowLoss:
    """sᵢ ℓ(zᵢ, yᵢ) with zᵢ = xᵢ W + b + offsetᵢ.

    Args:
        loss: ℓ.
        y: targets, shape (n,), float64.
        s: weights, shape (n,), float64, or None for 1.
        offset: shape (n, K), float64, or None.
        u: multipliers of an envelope, shape (n,), float64, or None.
    """

    loss: Loss
    y: ndarray
    s: ndarray | None = None
    offset: ndarray | None = None
    u: ndarray | None = None

    def at(self, rows: Any) -> RowLoss:
        """That of some rows: a slice or numbers."""
        cut = (None if array is None else array[rows] for array in (self.s, self.offset, self.u))
        return RowLoss(self.loss, self.y[rows], *cut)

    def point(self, Z: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """Losses (n,), slopes and curvatures (n, K) at predictions Z (n, K), in double and without the weights."""
        return self.loss.rows(Z, self.y, self.u)

    def weights(self) -> ndarray:
        """sᵢ, (n,)."""
        return np.ones(len(self.y)) if self.s is None else self.s
