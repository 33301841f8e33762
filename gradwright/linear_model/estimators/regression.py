"""Regressors: one class with every loss, ``GeneralizedLinearModel``, and names for its usual settings."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, ClassVar

from gradwright.linear_model.estimators.arguments import estimator
from gradwright.linear_model.estimators.checks import check_number
from gradwright.linear_model.estimators.regressor import DevianceRegressor
from gradwright.linear_model.losses import LOSSES, Absolute, Gamma, Loss, Nonsmooth, Poisson, Squared, named

LINKS = {name: kind.link for name, kind in LOSSES.items() if kind.link is not None}
"""Losses of ``GeneralizedLinearModel``, and the link that makes each of them convex."""


@estimator
@dataclass(eq=False, repr=False)
class GeneralizedLinearModel(DevianceRegressor):
    """A linear model with any of the losses here and an L2, L1, elastic-net or group penalty.

        min  Σᵢ wᵢ ℓ(xᵢ·w + b, yᵢ) / Σᵢ wᵢ + alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) ½ ‖w‖²)

    Args:
        loss: 'squared' (½ r²), 'poisson', 'gamma', 'tweedie' (half deviances), 'logistic' (y in [0, 1]), 'huber',
            'absolute', 'epsilon_insensitive', 'squared_epsilon_insensitive'. Default 'squared'.
        link: 'identity', 'log', 'logit', or 'auto' for the one with which the loss is convex. Other pairs are refused:
            they have no certificate. Default 'auto'.
        power: of Tweedie, between 1 and 2. Default 1.5.
        delta: of Huber, above 0, in units of y. Default 1.
        epsilon: of the ε-insensitive losses, at least 0, in units of y. Default 0.1.
        alpha: strength of the penalty, at least 0. Default 1.
        l1_ratio: part of it that is L1, in [0, 1]; refused above 0 for 'absolute' and 'epsilon_insensitive'. Default 0.
        groups: lists of column numbers that enter or leave together: where ``l1_ratio`` is above 0, its penalty is
            √|g| ‖w_g‖₂ for a group and |wⱼ| for columns in none. Default None.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.

    Attributes:
        coef_, intercept_: w, shape (d,), and b.
        n_features_in_, n_iter_, result_: columns, iterations, certificate.

    >>> import numpy as np
    >>> X, counts = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([1, 2, 4, 8])
    >>> GeneralizedLinearModel("poisson", alpha=0.0).fit(X, counts).predict([[4.0]]).round(2).tolist()
    [16.0]
    """

    loss: str = "squared"
    _: KW_ONLY
    link: str = "auto"
    power: float = 1.5
    delta: float = 1.0
    epsilon: float = 0.1
    alpha: float = 1.0
    l1_ratio: float = 0.0
    groups: Any = None

    def _loss(self) -> Loss | Nonsmooth:
        if self.loss not in LINKS:
            raise ValueError(f"loss must be one of {', '.join(LINKS)}, not {self.loss!r}")
        link = LINKS[self.loss]
        if self.link not in ("auto", link):
            raise ValueError(
                f"loss {self.loss!r} is convex with link {link!r} only, not {self.link!r}; use link='auto'"
            )
        if not (isinstance(self.power, Real) and 1 < self.power < 2):
            raise ValueError(
                f"power must be between 1 and 2, not {self.power!r}; use 'poisson' for 1 and 'gamma' for 2"
            )
        check_number("delta", self.delta, above=0.0)
        check_number("epsilon", self.epsilon, least=0.0)
        return named(self.loss, self)


@estimator
@dataclass(eq=False, repr=False)
class Ridge(DevianceRegressor):
    """Least squares with an L2 penalty, as in scikit-learn.

        min  Σᵢ wᵢ (xᵢ·w + b − yᵢ)² + alpha ‖w‖²

    ``result_.objective`` is this divided by 2 Σ wᵢ.

    Args:
        alpha: strength of the penalty, at least 0. Default 1.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.
    """

    def _loss(self) -> Loss | Nonsmooth:
        return Squared()

    def _strength(self, total: float) -> float:
        return super()._strength(total) / total


@estimator
@dataclass(eq=False, repr=False)
class PoissonRegressor(DevianceRegressor):
    """Poisson regression with log link, as in scikit-learn; y ≥ 0.

        min  mean half deviance + alpha ½ ‖w‖²

    Args:
        alpha: strength of the penalty, at least 0. Default 1.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.
    """

    def _loss(self) -> Loss | Nonsmooth:
        return Poisson()


@estimator
@dataclass(eq=False, repr=False)
class GammaRegressor(DevianceRegressor):
    """Gamma regression with log link, as in scikit-learn; y > 0.

        min  mean half deviance + alpha ½ ‖w‖²

    Args:
        alpha: strength of the penalty, at least 0. Default 1.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.
    """

    def _loss(self) -> Loss | Nonsmooth:
        return Gamma()


@estimator
@dataclass(eq=False, repr=False)
class LeastAbsoluteDeviations(DevianceRegressor):
    """Least absolute deviations, the conditional median.

        min  Σᵢ wᵢ |xᵢ·w + b − yᵢ| / Σᵢ wᵢ + alpha ½ ‖w‖²

    Args:
        alpha: strength of the penalty, at least 0. Default 0.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.
    """

    alpha: float = 0.0

    def _loss(self) -> Loss | Nonsmooth:
        return Absolute()


@estimator
@dataclass(eq=False, repr=False)
class Lasso(DevianceRegressor):
    """Least squares with an L1 penalty, as in scikit-learn: ``ElasticNet`` with ``l1_ratio`` 1.

    Args:
        alpha: strength of the penalty, at least 0. Default 1.
        groups: as in ``ElasticNet``.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.
    """

    _: KW_ONLY
    groups: Any = None
    l1_ratio: ClassVar[float] = 1.0

    def _loss(self) -> Loss | Nonsmooth:
        return Squared()


@estimator
@dataclass(eq=False, repr=False)
class ElasticNet(DevianceRegressor):
    """Least squares with L1 and L2 penalties, as in scikit-learn.

        min  Σᵢ wᵢ ½ (xᵢ·w + b − yᵢ)² / Σᵢ wᵢ + alpha (l1_ratio ‖w‖₁ + (1 − l1_ratio) ½ ‖w‖²)

    Args:
        alpha: strength of the penalty, at least 0. Default 1.
        l1_ratio: part of it that is L1, in [0, 1]. Default 0.5.
        groups: lists of column numbers that enter or leave together, with the penalty √|g| ‖w_g‖₂ in place of ‖w_g‖₁.
            Default None.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.
    """

    _: KW_ONLY
    l1_ratio: float = 0.5
    groups: Any = None

    def _loss(self) -> Loss | Nonsmooth:
        return Squared()
