"""What regressors share: targets, the problem, predictions, and a score by explained deviance."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_consistent_length

from gradwright.linear_model.data import Data, inputs
from gradwright.linear_model.estimators.base import LinearModel
from gradwright.linear_model.estimators.checks import check_number, normalised
from gradwright.linear_model.estimators.inference import StandardErrors, standard_errors
from gradwright.linear_model.losses import Loss, Nonsmooth, Penalty
from gradwright.linear_model.objective import Problem


@dataclass(eq=False, repr=False)
class Regressor(RegressorMixin, LinearModel):
    """What regressors share; subclasses answer a loss and a strength of the penalty."""

    def _loss(self) -> Loss | Nonsmooth:
        raise NotImplementedError

    def _strength(self, total: float) -> float:
        """The penalty beside the mean loss, for weights that sum to ``total``."""
        raise NotImplementedError

    def _problem(self, X: Any, y: Any, sample_weight: Any, offset: Any) -> Problem:
        self._check_common()
        strength, loss = self._strength(1.0), self._loss()
        data, y, weights = self._read(X, y, sample_weight)
        y = self._targets(y, data, loss)
        s, total = normalised(weights, data)
        strength = self._strength(total)
        penalty = Penalty.split(strength, getattr(self, "l1_ratio", 0.0), self._factors(data.d), self._groups(data.d))
        given = inputs.offsets(offset, data.n, 1)
        return Problem(data, loss, y, 1, s, given, penalty, self.fit_intercept, total)

    @staticmethod
    def _targets(y: ndarray, data: Data, loss: Loss | Nonsmooth) -> ndarray:
        try:
            numbers = np.asarray(y, np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"y must be numbers, not {y.dtype} such as {y.flat[0]!r}") from None
        if not np.isfinite(numbers).all():
            kind = "NaN" if np.isnan(numbers).any() else "infinity"
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise ValueError(f"Input y contains {kind}, first in row {row}; drop such rows")
        outside = (numbers < loss.targets.low) | (numbers > loss.targets.high)
        if outside.any():
            row = int(outside.argmax())
            raise ValueError(
                f"Some value(s) of y are out of the valid range of the {loss.name} loss: y must be "
                f"{loss.targets.words}, not {numbers[row]:g} (row {row}); use loss='squared' for such targets"
            )
        if loss.targets.some_above and data.sum(np.array([numbers.sum()]))[0] <= 0:
            raise ValueError(f"every y is 0, so that the {loss.name} loss has no minimum; give some y above 0")
        return numbers

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        with contextlib.suppress(ValueError):
            tags.target_tags.positive_only = self._loss().link == "log"
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
        """The expected target of each row, shape (n,); for losses with kinks Xw + b."""
        loss = self._loss()
        z = self._predictions(X, offset)
        return loss.mean(z) if isinstance(loss, Loss) else z

    def standard_errors(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> StandardErrors:
        """Standard errors of the coefficients on the rows of the fit; see ``inference.standard_errors``."""
        return standard_errors(self, X, y, sample_weight, offset)


@dataclass(eq=False, repr=False)
class DevianceRegressor(Regressor):
    """A regressor with ``alpha`` beside the mean loss, that scores by explained deviance."""

    alpha: float = 1.0

    def _strength(self, total: float) -> float:
        check_number("alpha", self.alpha, least=0.0)
        return self.alpha

    def score(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> float:
        """1 − loss / loss of the best constant: R² for the squared loss, D² for deviances, and so on."""
        loss, z = self._loss(), self._predictions(X, offset)
        y = np.asarray(inputs.plain(y), np.float64).ravel()
        check_consistent_length(z, y, sample_weight)
        given = inputs.sample_weights(sample_weight, len(y))
        weights = np.ones(len(y)) if given is None else given
        if isinstance(loss, Loss):
            value, _, _ = loss.point(z, y)
            null, _, _ = loss.point(np.full(len(y), float(loss.start(y, weights)[0])), y)
            least = loss.least(y, weights)
        else:
            middle = np.sort(y)[np.searchsorted(np.cumsum(weights[np.argsort(y)]), 0.5 * weights.sum())]
            value, null, least = loss.value(z, y), loss.value(np.full(len(y), middle), y), 0.0
        left, spread = float(weights @ value - least), float(weights @ null - least)
        return 1.0 - left / spread if spread > 0 else float(left <= 0)
