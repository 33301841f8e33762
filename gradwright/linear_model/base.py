"""What the estimators share: from parameters and data to a problem, and from its solution to fitted attributes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from . import inputs
from .data import Data
from .problem import Problem
from .result import FitResult, Status


class LinearModel(BaseEstimator):
    """A linear model that is fitted to the optimum, with a certificate in ``result_``.

    Subclasses name their loss and penalties; every one has the parameters

    * ``fit_intercept``: whether b is free; never penalised.
    * ``tol``: the fit ends when the objective is proven to be within this part of its minimum.
    * ``max_iter``: iterations at most.
    * ``warm_start``: begin at the last fit's coefficients.
    * ``penalty_factors``: what each column's penalty is multiplied by, shape (d,), at least 0; 0 leaves it free.
    * ``groups``: lists of column numbers that enter or leave together: where ``l1_ratio`` is above 0, its penalty is
      √|g| ‖W_g‖₂ for a group and ‖Wⱼ‖₁ for columns in none.
    * ``callback``: called with each iteration's ``Record``; a true answer stops the fit.
    * ``distributed``: rows are sharded over the ranks of the torch.distributed group; every rank calls ``fit`` with its
      own and gets the same answer.
    """

    def _read(self, X: Any, y: Any, sample_weight: Any) -> tuple[Data, ndarray, ndarray | None]:
        """Data, targets as given, and weights."""
        if callable(X):
            if y is not None or sample_weight is not None:
                raise ValueError("chunks carry their own y and sample_weight; call fit(chunks) without them")
            data, y, weights, first = inputs.read_chunks(X)
            inputs.matrix(self, first, reset=True)
        else:
            X = inputs.matrix(self, X, reset=True)
            data, weights = Data.of(X), sample_weight
            if y is None:
                raise ValueError(
                    f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
                )
            y = np.asarray(inputs.plain(y)) if not hasattr(y, "to_numpy") else y.to_numpy()
            y = self._target_shape(y)
            if len(y) != data.n:
                raise ValueError(f"Found input variables with inconsistent numbers of samples: [{data.n}, {len(y)}]")
        if data.n == 0:
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        if self.distributed:
            from .distributed import reducer

            data.reduce = reducer()
        return data, y, inputs.sample_weights(weights, data.n)

    @staticmethod
    def _target_shape(y: ndarray) -> ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            from sklearn.exceptions import DataConversionWarning

            warnings.warn(
                "A column-vector y was passed when a 1d array was expected; use y.ravel().", DataConversionWarning, 3
            )
            return y.ravel()
        if y.ndim != 1:
            raise ValueError(f"y should be a 1d array, got an array of shape {y.shape} instead.")
        return y

    def _factors(self, d: int) -> ndarray:
        given = getattr(self, "penalty_factors", None)
        if given is None:
            return np.ones(d)
        factors = np.asarray(given, np.float64)
        if factors.shape != (d,) or not np.all(np.isfinite(factors)) or np.any(factors < 0):
            raise ValueError(f"penalty_factors must be {d} finite numbers of at least 0, one per column, not {given!r}")
        return factors

    def _groups(self, d: int) -> list[ndarray]:
        groups = [np.asarray(list(group), np.intp) for group in (getattr(self, "groups", None) or ())]
        every = np.concatenate(groups) if groups else np.zeros(0, np.intp)
        if len(every) != len(set(every.tolist())) or np.any(every < 0) or np.any(every >= d):
            raise ValueError(f"groups must name each of the columns 0 to {d - 1} at most once, not {self.groups!r}")
        return groups

    def _check_common(self) -> None:
        if not (isinstance(self.tol, (int, float)) and self.tol > 0):
            raise ValueError(f"tol must be above 0, not {self.tol!r}")
        if not (isinstance(self.max_iter, (int, np.integer)) and self.max_iter >= 1):
            raise ValueError(f"max_iter must be a whole number of at least 1, not {self.max_iter!r}")

    def _solve(self, problem: Problem, multiple: bool) -> FitResult:
        """Fit, and set coefficients and the certificate."""
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            W = np.atleast_2d(self.coef_).T.astype(np.float64)
            if W.shape == (problem.data.d, problem.K):
                b = np.atleast_1d(self.intercept_).astype(np.float64) * np.ones(problem.K)
                start = (W, b if problem.intercept else np.zeros(problem.K))
        W, b, result = problem.solve(start, self.tol, self.max_iter, self.callback)
        self._keep(W.T if multiple else W[:, 0], b if multiple else float(b[0]), [result])
        return result

    def _keep(self, coef: ndarray, intercept: Any, results: list[FitResult]) -> None:
        """Set fitted attributes and warn of a fit that did not converge. Coefficients are float64 whatever X is."""
        self.coef_ = np.ascontiguousarray(coef)
        self.intercept_ = intercept
        self.results_ = results
        self.result_ = max(results, key=lambda result: result.relative_gap_bound)
        counts = [max(len(result.history), 1) for result in results]
        self.n_iter_ = np.array(counts) if np.ndim(intercept) else counts[0]
        for result in results:
            if result.status is not Status.converged:
                warnings.warn(f"{type(self).__name__}: {result}", ConvergenceWarning, stacklevel=4)
                break

    def _predictions(self, X: Any, offset: Any = None) -> ndarray:
        """Xw + b + offset, shape (n,) or (n, K)."""
        check_is_fitted(self)
        X = inputs.matrix(self, X, reset=False)
        W = np.atleast_2d(self.coef_).T
        z = np.asarray(X @ W.astype(X.dtype) if np.abs(W).max(initial=0) < 1e30 else X @ W, np.float64)
        z = z + np.atleast_1d(self.intercept_)
        given = inputs.offsets(offset, *z.shape)
        z = z if given is None else z + given
        return z[:, 0] if z.shape[1] == 1 else z

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def diagnose(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """What limits this model on these rows, in plain words; see ``diagnose.Diagnosis``."""
        from .diagnose import diagnose

        return diagnose(self, X, y, sample_weight)


def normalised(weights: ndarray | None, data: Data) -> tuple[ndarray | None, float]:
    """Weights that sum to 1 over all processes (None if equal), and what they summed to.

    Raises:
        ValueError: none is above zero.
    """
    total = float(data.sum(np.array([data.n if weights is None else weights.sum()]))[0])
    if not total > 0:
        raise ValueError("sample_weight and class_weight leave every row with weight 0; give some row a weight above 0")
    return (None if weights is None else weights / total), total
