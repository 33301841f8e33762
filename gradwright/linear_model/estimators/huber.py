"""Huber regression whose threshold is in units of a scale that is fitted too."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import FitResult, Record, Status, dual_of_scale
from gradwright.linear_model.estimators.arguments import estimator
from gradwright.linear_model.estimators.checks import check_number
from gradwright.linear_model.estimators.regressor import Regressor
from gradwright.linear_model.losses import Huber
from gradwright.linear_model.objective import Problem
from gradwright.linear_model.solvers import solve

TRIALS = 200
"""Scales tried at most."""
FAILURES = 6
"""Fits in a row that end short of their optimum, after which rounding is what stops the search."""
IDLE = 16
"""Fits in a row that bring the gap down by little, after which it is too."""
NEAR = 1e-4
"""The first step in log σ from a scale of an earlier fit: most often across the root, so that the bracket is small."""


class Trial(NamedTuple):
    """The best fit for one scale: its slope in σ, coefficients and |r| of every row.

    ``best_sigma``, the exponential of ``next``, is the best scale for these residuals; ``value`` and ``gap`` are the
    whole objective there and how far it may be above its minimum.
    """

    sigma: float
    slope: float
    W: ndarray
    b: ndarray
    result: FitResult
    r: ndarray
    next: float
    best_sigma: float
    value: float
    gap: float


@estimator
@dataclass(eq=False, repr=False)
class HuberRegressor(Regressor):
    """Huber regression with a fitted scale (Owen, A robust hybrid of lasso and ridge regression, 2007).

        min over w, b, σ > 0 of  Σᵢ wᵢ (σ + H(rᵢ / σ) σ) + alpha ‖w‖²,   H(u) = u² for |u| < ε, else 2 ε |u| − ε²

    as in scikit-learn. For each σ this is a Huber fit with threshold ε σ; what is left is convex in σ, and its slope is
    known, so σ is found by bracketing. ``result_.gap_bound`` is a duality gap of coefficients and σ together; the
    objective is divided by Σ wᵢ. For a fixed threshold in units of y use
    ``GeneralizedLinearModel('huber', delta=...)``.

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
        low, high = np.log(max(largest, 1e-290)) - 42.0, np.log(max(largest, 1e-290)) + 1.0
        guess, start = np.log(largest) if largest > 0 else low, None
        scale = getattr(self, "scale_", None)
        if self.warm_start and scale is not None and np.shape(self.coef_) == (data.d,):
            start = self.coef_[:, None].copy(), np.array([float(self.intercept_)])
            guess = min(max(float(np.log(scale)), low), high)
        warm = start is not None
        bounds, trials, trace = (low, high), [], []
        best: Trial | None = None
        status, failed, idle = Status.max_iter, 0, 0
        for _ in range(TRIALS):
            now = self._at(problem, s, guess, start, bounds)
            trials.append(now)
            idle = 0 if best is None or now.gap < 0.9 * best.gap else idle + 1
            best = now if best is None or now.gap < best.gap else best
            seconds, passes = sum(t.result.seconds for t in trials), sum(t.result.evaluations for t in trials)
            trace.append(Record(best.value, abs(now.slope), now.sigma, passes, seconds))
            if self._budget().reached(best.value, best.gap):
                status = Status.converged
                break
            if now.result.status is Status.interrupted:
                status = Status.interrupted
                break
            # only where a fit reached its optimum does its slope say on which side of σ the best one is
            sure = now.result.status is Status.converged or now.result.relative_gap_bound <= 1e-3 * abs(now.slope)
            failed = 0 if sure else failed + 1
            if sure:
                low, high = (low, min(high, guess)) if now.slope > 0 else (max(low, guess), high)
            if failed > FAILURES or idle > IDLE or high - low < 1e-15 * max(1.0, abs(high)):
                status = Status.float_limit
                break
            before = trials[-2] if len(trials) > 1 else None
            if before is None:
                near = guess - NEAR * np.sign(now.slope) if warm else now.next
                guess = _inside(near if low < near < high else 0.5 * (low + high), low, high)
            elif sure:
                guess = _next(low, high, before, now)
            else:
                # a little further than the best scale of these residuals, to a side that its slope only suggests
                guess = _inside(now.next - failed * np.sign(now.slope), low, high)
            start = (now.W, now.b)
        whole = FitResult(
            status, max(best.value, best.gap), best.gap, trace, sum(t.result.evaluations for t in trials),
            sum(t.result.seconds for t in trials), best.result.fallbacks,
            [f"scale {best.best_sigma:.6g}, found in {len(trials)} fits"],
        )  # fmt: skip
        self._keep(best.W[:, 0], float(best.b[0]), [whole])
        self.scale_ = best.best_sigma
        self.outliers_ = best.r > float(self.epsilon) * best.best_sigma
        return self

    def _at(self, problem: Problem, s: ndarray, log_sigma: float, start: Any, bounds: tuple[float, float]) -> Trial:
        """The best fit for one scale, and what it is worth with the scale that is best for its residuals."""
        sigma, eps, data = float(np.exp(log_sigma)), float(self.epsilon), problem.data
        strength = self.alpha * self._factors(data.d) / problem.total
        problem.loss = Huber(eps * sigma)
        problem.penalty = replace(problem.penalty, l2=strength * sigma)
        W, b, result = solve(problem, self._budget(1e-3), start)
        z = np.concatenate([np.asarray(X @ W)[:, 0] for _, X in data.slices()]) + b[0]
        z = z if problem.offset is None else z + problem.offset[:, 0]
        r = np.abs(z - problem.y)
        u = np.minimum(r / sigma, eps)
        slope = 1.0 - float(s @ (u * u))
        after = dual_of_scale.best_scale(r, s, eps, *bounds)
        best = float(np.exp(after))
        gap = np.inf
        for of_slopes in (best, sigma):
            problem.penalty = replace(problem.penalty, l2=strength * of_slopes)
            value, found = dual_of_scale.duality_gap(problem, W, b, strength, best, of_slopes, eps)
            gap = min(gap, found)
            if self._budget().reached(value, gap):
                break
        return Trial(sigma, slope, W, b, result, r, after, best, value, gap)

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
