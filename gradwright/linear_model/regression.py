"""Regressors: one class, ``GeneralizedLinearModel``, and names for its usual settings."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import RegressorMixin

from . import inputs
from .base import LinearModel, normalised
from .inference import StandardErrors, standard_errors
from .losses import (
    Gamma,
    Huber,
    Kinked,
    Logistic,
    Loss,
    Poisson,
    Squared,
    SquaredEpsilonInsensitive,
    Tweedie,
)
from .penalty import split
from .problem import Problem

LINKS = {
    "squared": "identity",
    "poisson": "log",
    "gamma": "log",
    "tweedie": "log",
    "logistic": "logit",
    "huber": "identity",
    "absolute": "identity",
    "epsilon_insensitive": "identity",
    "squared_epsilon_insensitive": "identity",
}
"""Losses and the link that makes each of them convex."""


class Regressor(RegressorMixin, LinearModel):
    """What regressors share; subclasses answer a loss and a strength of the penalty."""

    def _loss(self) -> Loss | Kinked:
        raise NotImplementedError

    def _strength(self, total: float) -> float:
        """The penalty beside the mean loss, for weights that sum to ``total``."""
        return self.alpha

    def _problem(self, X: Any, y: Any, sample_weight: Any, offset: Any) -> Problem:
        self._check_common()
        if not (np.isfinite(self._strength(1.0)) and self._strength(1.0) >= 0):
            raise ValueError(f"alpha must be finite and at least 0, not {getattr(self, 'alpha', None)!r}")
        data, y, weights = self._read(X, y, sample_weight)
        y = self._targets(y, data)
        s, total = normalised(weights, data)
        groups = self._groups(data.d)
        penalties = split(self._strength(total), getattr(self, "l1_ratio", 0.0), self._factors(data.d), groups)
        given = inputs.offsets(offset, data.n, 1)
        return Problem(data, self._loss(), y, 1, s, given, intercept=self.fit_intercept, total=total, **penalties)

    def _targets(self, y: ndarray, data: Any) -> ndarray:
        try:
            y = np.asarray(y, np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"y must be numbers, not {np.asarray(y).dtype} such as {np.asarray(y).flat[0]!r}"
            ) from None
        if not np.isfinite(y).all():
            kind = "NaN" if np.isnan(y).any() else "infinity"
            raise ValueError(
                f"Input y contains {kind}, first in row {int(np.flatnonzero(~np.isfinite(y))[0])}; drop it"
            )
        loss = self._loss()
        least = {"poisson": 0.0, "tweedie": 0.0, "gamma": np.nextafter(0.0, 1.0), "logistic": 0.0}.get(loss.name)
        if least is not None and np.any(y < least):
            row = int(np.flatnonzero(y < least)[0])
            what = "above 0" if loss.name == "gamma" else "at least 0"
            raise ValueError(
                f"Some value(s) of y are out of the valid range of the {loss.name} loss: y must be {what}, not "
                f"{y[row]:g} "
                f"(row {row}); use loss='squared' for such targets"
            )
        if loss.name == "logistic" and np.any(y > 1):
            raise ValueError(f"y must be in [0, 1] for the logistic loss, not {y.max():g}")
        if loss.name in ("poisson", "tweedie") and data.sum(np.array([y.sum()]))[0] <= 0:
            raise ValueError(f"every y is 0, so that the {loss.name} loss has no minimum; give some y above 0")
        return y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        with contextlib.suppress(ValueError):
            tags.target_tags.positive_only = self._loss().name in ("poisson", "gamma", "tweedie")
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> Regressor:
        """Fit to rows X (n, d), or to a function that gives an iterator of chunks (X, y[, sample_weight]).

        Args:
            X: array, data frame, CSR matrix, memory map or tensor; or such a function.
            y: targets, shape (n,); None where X is a function.
            sample_weight: shape (n,), at least 0.
            offset: added to the predictions before the link, shape (n,); the logarithm of an exposure, say.

        Raises:
            ValueError: missing values or text in a column, targets outside the loss's range, no weight above 0.
        """
        self._solve(self._problem(X, y, sample_weight, offset), multiple=False)
        return self

    def predict(self, X: Any, offset: Any = None) -> ndarray:
        """The expected target of each row, shape (n,)."""
        loss = self._loss()
        z = self._predictions(X, offset)
        return loss.mean(z) if isinstance(loss, Loss) else z

    def standard_errors(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> StandardErrors:
        """Standard errors of the coefficients on the rows of the fit; see ``inference.standard_errors``."""
        return standard_errors(self, self._problem(X, y, sample_weight, offset))


class _Deviance:
    """Scores by explained deviance."""

    def score(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> float:
        """D² = 1 − deviance / deviance of the mean; R² for the squared loss."""
        loss = self._loss()
        y = np.asarray(inputs.plain(y), np.float64)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if not isinstance(loss, Loss):
            z = self._predictions(X, offset)
            plain = np.median(y)
            return float(1 - weights @ loss.value(z, y) / max(weights @ loss.value(np.full(len(y), plain), y), 1e-300))
        value, _, _ = loss.point(self._predictions(X, offset), y)
        null, _, _ = loss.point(np.full(len(y), float(loss.start(y, weights)[0])), y)
        least = loss.least(y, weights)
        spread = weights @ null - least
        return float(1 - (weights @ value - least) / spread) if spread > 0 else float(weights @ value - least <= 0)


class GeneralizedLinearModel(_Deviance, Regressor):
    """A linear model with any of the losses here and an L2, L1, elastic-net or group penalty.

        min  Σᵢ wᵢ ℓ(xᵢ·w + b, yᵢ) / Σᵢ wᵢ + alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) ½ ‖w‖²)

    Args:
        loss: 'squared' (½ r²), 'poisson', 'gamma', 'tweedie' (half deviances), 'logistic' (y in [0, 1]), 'huber',
            'absolute', 'epsilon_insensitive', 'squared_epsilon_insensitive'.
        link: 'identity', 'log', 'logit', or 'auto' for the one with which the loss is convex. Other pairs are refused:
        they
            have no certificate.
        power: of Tweedie, between 1 and 2.
        delta: of Huber, above 0, in units of y.
        epsilon: of the ε-insensitive losses, at least 0, in units of y.
        alpha: strength of the penalty, at least 0. Default 1.
        l1_ratio: part of it that is L1, in [0, 1]; refused above 0 for 'absolute' and 'epsilon_insensitive'.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, groups, callback, distributed: see ``LinearModel``.
    """

    def __init__(
        self,
        loss: str = "squared",
        *,
        link: str = "auto",
        power: float = 1.5,
        delta: float = 1.0,
        epsilon: float = 0.1,
        alpha: float = 1.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
        penalty_factors: Any = None,
        groups: Any = None,
        callback: Any = None,
        distributed: bool = False,
    ):
        self.loss = loss
        self.link = link
        self.power = power
        self.delta = delta
        self.epsilon = epsilon
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.penalty_factors = penalty_factors
        self.groups = groups
        self.callback = callback
        self.distributed = distributed

    def _loss(self) -> Loss | Kinked:
        if self.loss not in LINKS:
            raise ValueError(f"loss must be one of {', '.join(LINKS)}, not {self.loss!r}")
        if self.link not in ("auto", LINKS[self.loss]):
            raise ValueError(
                f"loss {self.loss!r} is convex with link {LINKS[self.loss]!r} only, not {self.link!r}; use link='auto'"
            )
        if not 1 < self.power < 2:
            raise ValueError(
                f"power must be between 1 and 2, not {self.power!r}; use 'poisson' for 1 and 'gamma' for 2"
            )
        if not self.delta > 0:
            raise ValueError(f"delta must be above 0, not {self.delta!r}")
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon must be at least 0, not {self.epsilon!r}")
        made = {
            "squared": Squared,
            "poisson": Poisson,
            "gamma": Gamma,
            "logistic": Logistic,
            "tweedie": lambda: Tweedie(self.power),
            "huber": lambda: Huber(self.delta),
            "absolute": Kinked,
            "epsilon_insensitive": lambda: Kinked(self.epsilon),
            "squared_epsilon_insensitive": lambda: SquaredEpsilonInsensitive(self.epsilon),
        }
        return made[self.loss]()


class _Plain(_Deviance, Regressor):
    """A fixed loss with an L2 penalty."""

    fixed: Any

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
        penalty_factors: Any = None,
        callback: Any = None,
        distributed: bool = False,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.penalty_factors = penalty_factors
        self.callback = callback
        self.distributed = distributed

    def _loss(self) -> Loss | Kinked:
        return self.fixed


class Ridge(_Plain):
    """Least squares with an L2 penalty: min Σᵢ wᵢ (xᵢ·w + b − yᵢ)² + alpha ‖w‖², as in scikit-learn.

    ``result_.objective`` is this divided by 2 Σ wᵢ. See ``GeneralizedLinearModel`` for the other parameters.
    """

    fixed = Squared()

    def _strength(self, total: float) -> float:
        return self.alpha / total


class PoissonRegressor(_Plain):
    """Poisson regression with log link: min mean half deviance + alpha ½ ‖w‖², as in scikit-learn; y ≥ 0.

    See ``GeneralizedLinearModel`` for the parameters.
    """

    fixed = Poisson()


class GammaRegressor(_Plain):
    """Gamma regression with log link: min mean half deviance + alpha ½ ‖w‖², as in scikit-learn; y > 0.

    See ``GeneralizedLinearModel`` for the parameters.
    """

    fixed = Gamma()


class LeastAbsoluteDeviations(_Plain):
    """Least absolute deviations: min Σᵢ wᵢ |xᵢ·w + b − yᵢ| / Σᵢ wᵢ + alpha ½ ‖w‖², the conditional median.

    ``alpha`` is 0 by default. See ``GeneralizedLinearModel`` for the parameters.
    """

    fixed = Kinked()

    def __init__(
        self,
        alpha: float = 0.0,
        *,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
        penalty_factors: Any = None,
        callback: Any = None,
        distributed: bool = False,
    ):
        super().__init__(
            alpha,
            fit_intercept=fit_intercept,
            tol=tol,
            max_iter=max_iter,
            warm_start=warm_start,
            penalty_factors=penalty_factors,
            callback=callback,
            distributed=distributed,
        )


class ElasticNet(_Deviance, Regressor):
    """Least squares with L1 and L2: min Σᵢ wᵢ ½ (xᵢ·w + b − yᵢ)² / Σᵢ wᵢ + alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) ½
    ‖w‖²).

    As in scikit-learn. See ``GeneralizedLinearModel`` for the parameters.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
        penalty_factors: Any = None,
        groups: Any = None,
        callback: Any = None,
        distributed: bool = False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.penalty_factors = penalty_factors
        self.groups = groups
        self.callback = callback
        self.distributed = distributed

    def _loss(self) -> Loss:
        return Squared()


class Lasso(ElasticNet):
    """``ElasticNet`` with ``l1_ratio`` 1, as in scikit-learn."""

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
        penalty_factors: Any = None,
        groups: Any = None,
        callback: Any = None,
        distributed: bool = False,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.penalty_factors = penalty_factors
        self.groups = groups
        self.callback = callback
        self.distributed = distributed

    l1_ratio = 1.0
