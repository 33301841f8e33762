"""Problem: a linear model's data, loss and penalties, and the choice of the method that solves it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record
from gradwright.linear_model.data import Data, kernels
from gradwright.linear_model.losses import Loss, Nonsmooth, Penalty
from gradwright.linear_model.objective import Design, Objective
from gradwright.linear_model.solvers import augmented_lagrangian, blas, proximal, smooth


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

    def solve(
        self,
        start: tuple[ndarray, ndarray] | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        callback: Callable[[Record], bool | None] | None = None,
    ) -> tuple[ndarray, ndarray, FitResult]:
        """W (d, K), b (K,) and the certificate."""
        W, b = self.start() if start is None else start
        if self.data.reduce is not None and (self.penalty.has_kinks or isinstance(self.loss, Nonsmooth)):
            raise ValueError(
                "distributed=True is not available for L1 and group penalties, nor for the hinge, absolute and "
                "epsilon-insensitive losses: each rank would solve a problem of its own. Use an L2 penalty with a "
                "smooth loss, or fit on one rank"
            )
        numpy_passes = kernels.chosen() == "plain" and self.data.n * self.data.d * self.K >= blas.LARGE
        with nullcontext() if numpy_passes else blas.one_thread():
            return self._solve(W, b, tol, max_iter, callback)

    def _solve(
        self, W: ndarray, b: ndarray, tol: float, max_iter: int, callback: Callable[[Record], bool | None] | None
    ) -> tuple[ndarray, ndarray, FitResult]:
        if isinstance(self.loss, Nonsmooth):
            if self.penalty.has_kinks:
                raise ValueError(
                    "L1 and group penalties are not available for the hinge, absolute and epsilon-insensitive losses; "
                    "use an L2 penalty, or the squared form of the loss"
                )
            return augmented_lagrangian.minimize(self, W, b, tol, max_iter, callback)
        if self.penalty.has_kinks:
            return proximal.minimize(self, W, b, tol, max_iter, callback)
        objective = self.objective(self.loss)
        theta, result = smooth.minimize(objective, objective.design.theta(W, b), tol, max_iter, callback)
        return *objective.design.weights(theta), result
