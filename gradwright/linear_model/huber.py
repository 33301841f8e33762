"""Huber regression whose threshold is in units of a scale that is fitted too."""

from __future__ import annotations

from typing import Any

import numpy as np

from .losses import Huber
from .regression import Regressor
from .result import FitResult, Record, Status


class HuberRegressor(Regressor):
    """Huber regression with a fitted scale (Owen, A robust hybrid of lasso and ridge regression, 2007):

        min over w, b, σ > 0 of  Σᵢ wᵢ (σ + H(rᵢ / σ) σ) + alpha ‖w‖²,   H(u) = u² for |u| < ε, else 2 ε |u| − ε²

    as in scikit-learn. For each σ this is a Huber fit with threshold ε σ; what is left is convex in σ, and its slope is
    known, so σ is found by bracketing. ``result_.gap_bound`` adds the gap in σ; the objective is divided by Σ wᵢ. For
    a fixed
    threshold in units of y use ``GeneralizedLinearModel('huber', delta=...)``.

    Args:
        epsilon: threshold in units of σ, at least 1. Default 1.35.
        alpha: strength of the penalty, at least 0. Default 1e-4.
        max_iter, tol, fit_intercept, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.

    Attributes:
        scale_: σ.
        outliers_: rows with |r| > ε σ.
    """

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
        penalty_factors: Any = None,
        callback: Any = None,
        distributed: bool = False,
    ):
        self.epsilon = epsilon
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.penalty_factors = penalty_factors
        self.callback = callback
        self.distributed = distributed

    def _loss(self) -> Huber:
        if not self.epsilon >= 1:
            raise ValueError(f"epsilon must be at least 1, not {self.epsilon!r}")
        return Huber(float(self.epsilon))

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> HuberRegressor:
        """Fit to rows X (n, d); arguments as in ``GeneralizedLinearModel.fit``."""
        problem = self._problem(X, y, sample_weight, offset)
        data, eps, y = problem.data, float(self.epsilon), problem.y
        factors, total = self._factors(data.d), problem.total
        s = np.full(data.n, 1.0 / total) if problem.s is None else problem.s
        mean = float(data.sum(np.array([s @ y]))[0])
        largest = float(np.sqrt(data.sum(np.array([s @ (y - mean) ** 2]))[0]))
        # σ between rounding and the spread of y, which no better fit exceeds
        low, high = np.log(max(largest, 1e-300)) - 21.0, np.log(max(largest, 1e-300)) + 1.0
        start, results = None, []

        def at(log_sigma: float):
            """Value, its slope in σ, and the fit."""
            nonlocal start
            sigma = float(np.exp(log_sigma))
            problem.loss, problem.l2 = Huber(eps * sigma), self.alpha * sigma * factors / total
            W, b, result = problem.solve(start, 0.01 * self.tol, self.max_iter, self.callback)
            start = (W, b)
            results.append(result)
            z = np.zeros(data.n)
            for place, X_ in data.slices():
                z[place] = np.asarray(X_ @ W)[:, 0] + b[0]
            z = z if problem.offset is None else z + problem.offset[:, 0]
            u = np.abs(z - y) / sigma
            slope = float(data.sum(np.array([s @ np.where(u <= eps, 1.0 - u * u, 1.0 - eps * eps)]))[0])
            return sigma + 2.0 / sigma * result.objective, slope, W, b, result, sigma, u

        best = at(np.log(largest) if largest > 0 else low)
        before, trace = None, []
        for _ in range(200):
            value, slope, W, b, result, sigma, u = best
            if slope > 0:
                high = min(high, np.log(sigma))
            else:
                low = max(low, np.log(sigma))
            # convexity: no σ in the bracket is better by more than the slope times the way to its end
            seconds, passes = sum(r.seconds for r in results), sum(r.evaluations for r in results)
            trace.append(Record(value, abs(slope), sigma, passes, seconds))
            away = sigma - np.exp(low) if slope > 0 else np.exp(high) - sigma
            gap = min(abs(slope) * away + 2.0 / sigma * result.gap_bound, value)
            done = gap <= self.tol * max(value - gap, 0.0) or gap <= 1e-8 * trace[0].objective
            if done or result.status is Status.interrupted or high - low < 1e-15:
                break
            guess = 0.5 * (low + high)
            if before is not None and before[1] != slope:
                guess = np.log(sigma) - slope * (np.log(sigma) - before[0]) / (slope - before[1])
                # a little beyond the root, so that the bracket closes from both sides
                guess += 1e-9 * np.sign(-slope) if abs(guess - np.log(sigma)) < 1e-9 else 0.0
                edge = 1e-3 * (high - low)
                guess = guess if low < guess < high else 0.5 * (low + high)
                if abs(before[1]) < 2 * abs(slope):
                    guess = 0.5 * (low + high)
                guess = min(max(guess, low + min(edge, 1e-10)), high - min(edge, 1e-10))
            before = (np.log(sigma), slope)
            best = at(guess)
        else:
            gap = min(gap, value)
        status = (
            result.status
            if result.status is not Status.converged
            else (Status.converged if done else Status.float_limit)
        )
        whole = FitResult(
            status, value, gap, trace, sum(r.evaluations for r in results), sum(r.seconds for r in results),
            result.ladder, [f"scale {sigma:.6g}, found in {len(results)} fits"],
        )  # fmt: skip
        self._keep(W[:, 0], float(b[0]), [whole])
        self.scale_ = sigma
        self.outliers_ = u > eps
        return self

    def predict(self, X: Any, offset: Any = None):
        """Xw + b, shape (n,)."""
        return self._predictions(X, offset)

    def standard_errors(self, *args: Any, **kwargs: Any) -> Any:
        """Not defined for a loss of pieces; raises ``ValueError``."""
        raise ValueError("standard errors need a smooth loss; use a bootstrap")
