"""Problem: a linear model's data, loss and penalty, as they are given to a solver."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import Data
from gradwright.linear_model.losses import Loss, Nonsmooth, Penalty
from gradwright.linear_model.objective.design import Design
from gradwright.linear_model.objective.objective import Objective


@dataclass
class Problem:
    """min over W, b of Σᵢ sᵢ ℓ(xᵢ W + b + offsetᵢ, yᵢ) + penalty(W).

    Args:
        data: rows of X.
        loss: smooth, or ``Nonsmooth``.
        y: targets, shape (n,), float64.
        K: predictions of a row.
        s: weights, shape (n,), that sum to 1 over all processes; None for equal ones.
        offset: shape (n, K), or None.
        penalty: of W, shape (d, K).
        intercept: whether b is free.
    """

    data: Data
    loss: Loss | Nonsmooth
    y: ndarray
    K: int
    s: ndarray | None
    offset: ndarray | None
    penalty: Penalty
    intercept: bool
    total: float = 0.0
    """What the weights summed to before they were made to sum to 1."""
    frame: tuple[ndarray, ndarray] | None = field(default=None, repr=False)
    multipliers: tuple[ndarray, float] | None = field(default=None, repr=False)
    """Dual variables (n,) and stiffness that a fit of a ``Nonsmooth`` loss starts from, then those it ends with."""

    def objective(self, loss: Loss, u: ndarray | None = None) -> Objective:
        """The smooth part with this loss."""
        design = Design(self.data, self.intercept, self.frame)
        self.frame = design.frame
        return Objective(design, loss, self.y, self.s, self.offset, self.penalty.l2, self.K, u)

    def start(self) -> tuple[ndarray, ndarray]:
        """Zero weights and the best intercept known in closed form."""
        W, b = np.zeros((self.data.d, self.K)), np.zeros(self.K)
        if self.intercept and self.data.reduce is None and self.offset is None and isinstance(self.loss, Loss):
            b = self.loss.start(self.y, np.ones(len(self.y)) if self.s is None else self.s)
        return W, b
