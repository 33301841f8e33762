"""What the estimators share: from parameters and data to a problem, and from its solution to fitted attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.utils.validation import check_is_fitted

from gradwright.core.warn import warn_user
from gradwright.linear_model.certificate import FitResult, Record, Status
from gradwright.linear_model.data import Data, inputs
from gradwright.linear_model.data.chunks import read_chunks
from gradwright.linear_model.estimators.arguments import way_out
from gradwright.linear_model.estimators.checks import check_number, groups_of
from gradwright.linear_model.objective import Problem
from gradwright.linear_model.solvers import Budget, solve


@dataclass(kw_only=True, eq=False, repr=False)
class LinearModel(BaseEstimator):
    """A linear model that is fitted to the optimum, with a certificate in ``result_``.

    Subclasses name their loss and penalties; every one has these parameters, by keyword.

    Args:
        fit_intercept: whether b is free; never penalised. Default True.
        tol: the fit ends when the objective is proven to be within this part of its minimum; above 0. Default 1e-6.
        max_iter: iterations at most, at least 1. Default 1000.
        warm_start: begin at the last fit's coefficients. Default False.
        penalty_factors: what each column's penalty is multiplied by, shape (d,), at least 0; 0 leaves it free, None is
            1 for all. Default None.
        callback: called with each iteration's ``Record``; a true answer stops the fit. Default None.
        distributed: rows are sharded over the ranks of the torch.distributed group; every rank calls ``fit`` with its
            own and gets the same answer. Default False.
    """

    fit_intercept: bool = True
    tol: float = 1e-6
    max_iter: int = 1000
    warm_start: bool = False
    penalty_factors: Any = None
    callback: Callable[[Record], bool | None] | None = None
    distributed: bool = False

    _diagnose: ClassVar[Callable[..., Any]]
    """``linear_model.diagnose``, which fits estimators itself, so that they cannot import it: the package sets it."""

    def _read(self, X: Any, y: Any, sample_weight: Any) -> tuple[Data, ndarray, ndarray | None]:
        """Data, targets as given, and weights."""
        if callable(X):
            if y is not None or sample_weight is not None:
                raise ValueError("chunks carry their own y and sample_weight; call fit(chunks) without them")
            data, y, weights, first = read_chunks(X)
            inputs.matrix(self, first, reset=True)
        elif y is None:
            hint = ""
            if hasattr(X, "__next__") or (isinstance(X, (list, tuple)) and X and isinstance(X[0], tuple)):
                hint = " For chunks give a function that returns a new iterator of (X, y) at every call."
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.{hint}"
            )
        else:
            X = inputs.matrix(self, X, reset=True)
            data, weights = Data.of(X), sample_weight
            y = inputs.plain(y)
            y = self._target_shape(np.asarray(y) if not hasattr(y, "to_numpy") else y.to_numpy())
            if len(y) != data.n:
                raise ValueError(f"Found input variables with inconsistent numbers of samples: [{data.n}, {len(y)}]")
        if data.n == 0:
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        if self.distributed:
            from gradwright.linear_model.data.distributed import reducer

            data.reduce = reducer()
        return data, y, inputs.sample_weights(weights, data.n)

    @staticmethod
    def _target_shape(y: ndarray) -> ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            warn_user(
                "A column-vector y was passed when a 1d array was expected; use y.ravel().", DataConversionWarning
            )
            return y.ravel()
        if y.ndim != 1:
            raise ValueError(f"y should be a 1d array, got an array of shape {y.shape} instead.")
        return y

    def _factors(self, d: int) -> ndarray:
        given = self.penalty_factors
        if given is None:
            return np.ones(d)
        words = f"penalty_factors must be {d} finite numbers of at least 0, one per column, not {given!r}"
        try:
            factors = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            raise ValueError(words) from None
        if factors.shape != (d,) or not np.all(np.isfinite(factors)) or np.any(factors < 0):
            raise ValueError(words)
        return factors

    def _groups(self, d: int) -> list[ndarray]:
        return groups_of(getattr(self, "groups", None), d)

    def _check_common(self) -> None:
        check_number("tol", self.tol, above=0.0)
        if not (isinstance(self.max_iter, Integral) and self.max_iter >= 1):
            raise ValueError(f"max_iter must be a whole number of at least 1, not {self.max_iter!r}")
        for name in ("fit_intercept", "warm_start", "distributed"):
            if not isinstance(getattr(self, name), (bool, np.bool_, Integral)):
                raise ValueError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if self.callback is not None and not callable(self.callback):
            raise ValueError(f"callback must be a function of a Record, or None, not {self.callback!r}")

    def _budget(self, part: float = 1.0) -> Budget:
        """When a fit ends that has to come within a part of ``tol``."""
        return Budget(part * self.tol, self.max_iter, self.callback)

    def _solve(self, problem: Problem, multiple: bool) -> FitResult:
        """Fit, and set coefficients and the certificate."""
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            W = np.atleast_2d(self.coef_).T.astype(np.float64)
            if W.shape == (problem.data.d, problem.K):
                b = np.atleast_1d(self.intercept_).astype(np.float64) * np.ones(problem.K)
                start = (W, b if problem.intercept else np.zeros(problem.K))
        W, b, result = self._solve_from(problem, start)
        self._keep(W.T if multiple else W[:, 0], b if multiple else float(b[0]), [result])
        return result

    def _solve_from(self, problem: Problem, start: Any, place: int = 0) -> tuple[ndarray, ndarray, FitResult]:
        """Solve one of the problems of a fit; a warm start takes up its dual variables too."""
        kept: dict[int, Any] = self.__dict__.get("_multipliers", {}) if start is not None else {}
        problem.multipliers = kept.get(place)
        answer = solve(problem, self._budget(), start)
        if self.warm_start and problem.multipliers is not None:
            self._multipliers = {**kept, place: problem.multipliers}
        return answer

    def _keep(self, coef: ndarray, intercept: Any, results: list[FitResult]) -> None:
        """Set fitted attributes and warn of a fit that did not converge. Coefficients are float64 whatever X is."""
        self.coef_ = np.ascontiguousarray(coef)
        self.intercept_ = intercept
        self.results_ = results
        self.result_ = max(results, key=lambda result: result.relative_gap_bound)
        counts = [max(len(result.history), 1) for result in results]
        self.n_iter_: Any = np.array(counts) if np.ndim(intercept) else counts[0]
        for result in results:
            if result.status is not Status.converged:
                warn_user(f"{type(self).__name__}: {result}", ConvergenceWarning)
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

    def set_params(self, **params: Any) -> LinearModel:
        """Set parameters by name.

        Raises:
            ValueError: there is none of that name; with the way out.
        """
        known = self.get_params(deep=False)
        for name in params:
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for {type(self).__name__}: {way_out(name, known)}")
        return super().set_params(**params)

    def diagnose(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Any:
        """Print and answer what limits this model on these rows, in plain words; see ``linear_model.diagnose``."""
        found = self._diagnose(self, X, y, sample_weight, offset)
        print(found)
        return found
