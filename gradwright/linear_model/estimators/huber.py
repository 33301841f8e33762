"""Huber regression whose threshold is in units of a scale that is fitted too."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.estimators.checks import check_number
from gradwright.linear_model.estimators.regressor import Regressor
from gradwright.linear_model.losses import Huber
from gradwright.linear_model.objective import Problem
from gradwright.linear_model.solvers import solve

TRIALS = 200
"""Scales tried at most."""
NEAR = 1e-4
"""The first step in log σ from a scale of an earlier fit: most often across the root, so that the bracket is small."""


class Trial(NamedTuple):
    """The best fit for one scale: the whole objective, its slope in σ, coefficients and |r| / σ of every row."""

    sigma: float
    value: float
    slope: float
    W: ndarray
    b: ndarray
    result: FitResult
    u: ndarray

    @property
    def gap(self) -> float:
        """How far this fit may be above the best for its σ."""
        return 2.0 / self.sigma * self.result.gap_bound


@dataclass(eq=False, repr=False)
class HuberRegressor(Regressor):
    """Huber regression with a fitted scale (Owen, A robust hybrid of lasso and ridge regression, 2007).

        min over w, b, σ > 0 of  Σᵢ wᵢ (σ + H(rᵢ / σ) σ) + alpha ‖w‖²,   H(u) = u² for |u| < ε, else 2 ε |u| − ε²

    as in scikit-learn. For each σ this is a Huber fit with threshold ε σ; what is left is convex in σ, and its slope is
    known, so σ is found by bracketing. ``result_.gap_bound`` adds the gap in σ; the objective is divided by Σ wᵢ. For a
    fixed threshold in units of y use ``GeneralizedLinearModel('huber', delta=...)``.

    Args:
        epsilon: threshold in units of σ, at least 1. Default 1.35.
        alpha: strength of the penalty, at least 0. Default 1e-4.
        max_iter, tol, fit_intercept, warm_start, penalty_factors, callback, distributed: see ``LinearModel``;
            ``max_iter`` holds for each σ that is tried.

    Attributes:
        coef_, intercept_, scale_: w, shape (d,), b and σ.
        outliers_: rows with |r| > ε σ, shape (n,).
        n_features_in_, n_iter_, result_: columns, scales tried, certificate.
    """

    _: KW_ONLY
    epsilon: float = 1.35
    alpha: float = 1e-4

    def _loss(self) -> Huber:
        check_number("epsilon", self.epsilon, least=1.0)
        return Huber(float(self.epsilon))

    def _strength(self, total: float) -> float:
        check_number("alpha", self.alpha, least=0.0)
        return self.alpha

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> HuberRegressor:
        """Fit to rows X (n, d); arguments as in ``GeneralizedLinearModel.fit``."""
        problem = self._problem(X, y, sample_weight, offset)
        data, y = problem.data, problem.y
        s = np.full(data.n, 1.0 / problem.total) if problem.s is None else problem.s
        mean = float(data.sum(np.array([s @ y]))[0])
        largest = float(np.sqrt(data.sum(np.array([s @ (y - mean) ** 2]))[0]))
        if not np.isfinite(largest):
            raise ValueError(f"y reaches {np.abs(y).max():.2g}, whose square overflows; give y in larger units")
        # log σ between rounding and the spread of y, which no better fit exceeds
        low, high = np.log(max(largest, 1e-300)) - 21.0, np.log(max(largest, 1e-300)) + 1.0
        first, start = np.log(largest) if largest > 0 else low, None
        scale = getattr(self, "scale_", None)
        if self.warm_start and scale is not None and np.shape(self.coef_) == (data.d,):
            start = self.coef_[:, None].copy(), np.array([float(self.intercept_)])
            first = min(max(float(np.log(scale)), low), high)
        best = self._at(problem, s, first, start)
        results, trace = [best.result], []
        before: Trial | None = None
        done = False
        for _ in range(TRIALS):
            here = np.log(best.sigma)
            low, high = (low, min(high, here)) if best.slope > 0 else (max(low, here), high)
            seconds, passes = sum(r.seconds for r in results), sum(r.evaluations for r in results)
            trace.append(Record(best.value, abs(best.slope), best.sigma, passes, seconds))
            # convexity: no σ in the bracket is better by more than the slope times the way to its end
            away = best.sigma - np.exp(low) if best.slope > 0 else np.exp(high) - best.sigma
            gap = min(abs(best.slope) * away + best.gap, best.value)
            done = bool(gap <= self.tol * max(best.value - gap, 0.0) or gap <= 1e-8 * trace[0].objective)
            if done or best.result.status is Status.interrupted or high - low < 1e-15:
                break
            near = before is None and start is not None
            guess = here - NEAR * np.sign(best.slope) if near else _next(low, high, before, best)
            before, best = best, self._at(problem, s, guess, (best.W, best.b))
            results.append(best.result)
        status = best.result.status
        if status is Status.converged and not done:
            status = Status.float_limit
        whole = FitResult(
            status, best.value, gap, trace, sum(r.evaluations for r in results), sum(r.seconds for r in results),
            best.result.fallbacks, [f"scale {best.sigma:.6g}, found in {len(results)} fits"],
        )  # fmt: skip
        self._keep(best.W[:, 0], float(best.b[0]), [whole])
        self.scale_ = best.sigma
        self.outliers_ = best.u > float(self.epsilon)
        return self

    def _at(self, problem: Problem, s: ndarray, log_sigma: float, start: tuple[ndarray, ndarray] | None) -> Trial:
        """The best fit for one scale."""
        sigma, eps, data = float(np.exp(log_sigma)), float(self.epsilon), problem.data
        problem.loss = Huber(eps * sigma)
        problem.penalty = replace(problem.penalty, l2=self.alpha * sigma * self._factors(data.d) / problem.total)
        W, b, result = solve(problem, self._budget(0.01), start)
        z = np.concatenate([np.asarray(X @ W)[:, 0] for _, X in data.slices()]) + b[0]
        z = z if problem.offset is None else z + problem.offset[:, 0]
        u = np.abs(z - problem.y) / sigma
        slope = float(data.sum(np.array([s @ np.where(u <= eps, 1.0 - u * u, 1.0 - eps * eps)]))[0])
        return Trial(sigma, sigma + 2.0 / sigma * result.objective, slope, W, b, result, u)

    def predict(self, X: Any, offset: Any = None) -> ndarray:
        """Xw + b, shape (n,)."""
        return self._predictions(X, offset)

    def standard_errors(self, *args: Any, **kwargs: Any) -> Any:
        """Not defined for a loss of pieces; raises ``ValueError``."""
        raise ValueError("standard errors need a smooth loss; use a bootstrap")


def _next(low: float, high: float, before: Trial | None, now: Trial) -> float:
    """The next log σ inside the bracket: the secant's root of the slope where it gains, else the middle."""
    middle = 0.5 * (low + high)
    if before is None or before.slope == now.slope or abs(before.slope) < 2 * abs(now.slope):
        return _inside(middle, low, high)
    here = np.log(now.sigma)
    guess = here - now.slope * (here - np.log(before.sigma)) / (now.slope - before.slope)
    # a little beyond the root, so that the bracket closes from both sides
    guess += 1e-9 * np.sign(-now.slope) if abs(guess - here) < 1e-9 else 0.0
    return _inside(float(guess) if low < guess < high else middle, low, high)


def _inside(guess: float, low: float, high: float) -> float:
    edge = min(1e-3 * (high - low), 1e-10)
    return min(max(guess, low + edge), high - edge)
