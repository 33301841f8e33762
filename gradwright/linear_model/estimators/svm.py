"""Linear support vector machines: to the proven optimum, with a free intercept that is not penalised."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from gradwright.linear_model.certificate import FitResult, Status
from gradwright.linear_model.data import inputs
from gradwright.linear_model.estimators.arguments import estimator
from gradwright.linear_model.estimators.checks import check_number, normalised
from gradwright.linear_model.estimators.classifier import Classifier
from gradwright.linear_model.estimators.regressor import Regressor
from gradwright.linear_model.losses import Loss, Nonsmooth, Penalty, named
from gradwright.linear_model.objective import Problem


@estimator
@dataclass(eq=False, repr=False)
class LinearSVC(Classifier):
    """Linear support vector classifier: min ½ ‖w‖² + C Σᵢ wᵢ ℓ(xᵢ·w + b, yᵢ), one class against the rest.

    Unlike scikit-learn's, the intercept is not part of the penalty, so there is no ``intercept_scaling``.

    Args:
        C: inverse strength of the penalty, above 0. Default 1.
        loss: 'squared_hinge' or 'hinge'. Default 'squared_hinge'.
        class_weight: None, 'balanced', or a dict of class: weight. Default None.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.

    Attributes:
        coef_, intercept_: shapes (1, d) and (1,) for two classes, else (K, d) and (K,).
        result_: the certificate; with more than two classes the one with the largest relative gap of ``results_``.
    """

    C: float = 1.0
    _: KW_ONLY
    loss: str = "squared_hinge"
    class_weight: Any = None

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> LinearSVC:
        """Fit to rows X (n, d), or to a function that gives an iterator of chunks (X, y[, sample_weight]).

        Raises:
            ValueError: missing values or text in a column, one class only, no weight above 0.
        """
        self._check_common()
        check_number("C", self.C, above=0.0)
        if self.loss not in ("hinge", "squared_hinge"):
            raise ValueError(f"loss must be 'hinge' or 'squared_hinge', not {self.loss!r}")
        data, y, weights = self._read(X, y, sample_weight)
        labels = self._labels(y, data)
        s, total = normalised(self._weigh(weights, labels, data), data)
        self._refuse_one_class(s, labels, data)
        K = len(self.classes_)
        penalty = Penalty.split(1.0 / (self.C * total), 0.0, self._factors(data.d), [])
        given = inputs.offsets(offset, data.n, 1 if K == 2 else K)
        loss = named(self.loss, self)
        problem = Problem(data, loss, labels, 1, s, given, penalty, self.fit_intercept, total)
        before = (self.coef_, self.intercept_) if self.warm_start and hasattr(self, "coef_") else None
        coefs, biases, results = [], [], []
        for k in (1,) if K == 2 else range(K):
            own = replace(problem, y=np.where(labels == k, 1.0, -1.0), frame=problem.frame)
            if given is not None and K > 2:
                own.offset = np.ascontiguousarray(given[:, k : k + 1])
            start = None
            if before is not None and before[0].shape == (1 if K == 2 else K, data.d):
                place = 0 if K == 2 else k
                start = before[0][place][:, None].astype(float), np.atleast_1d(before[1][place]).astype(float)
            if K > 2 and self.fit_intercept and s is not None and not s[labels == k].any() and data.reduce is None:
                # every row is of the rest: an intercept of −1 leaves no loss, and no other fit less
                ends = 0.0 if own.offset is None else float(own.offset.max())
                W, b, result = np.zeros((data.d, 1)), np.array([-1.0 - ends]), FitResult(Status.converged, 0.0, 0.0)
            else:
                W, b, result = self._solve_from(own, start, k)
            problem.frame = own.frame
            coefs.append(W[:, 0])
            biases.append(b[0])
            results.append(result)
        self._keep(np.array(coefs), np.array(biases), results)
        return self


@estimator
@dataclass(eq=False, repr=False)
class LinearSVR(Regressor):
    """Linear support vector regression: min ½ ‖w‖² + C Σᵢ wᵢ ℓ(xᵢ·w + b − yᵢ).

    Unlike scikit-learn's, the intercept is not part of the penalty.

    Args:
        epsilon: width of the tube without loss, at least 0, in units of y. Default 0.
        C: inverse strength of the penalty, above 0. Default 1.
        loss: 'epsilon_insensitive' (max(0, |r| − ε)) or 'squared_epsilon_insensitive' (its square). Default the first.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.
    """

    _: KW_ONLY
    epsilon: float = 0.0
    C: float = 1.0
    loss: str = "epsilon_insensitive"

    def _strength(self, total: float) -> float:
        check_number("C", self.C, above=0.0)
        return 1.0 / (self.C * total)

    def _loss(self) -> Loss | Nonsmooth:
        check_number("epsilon", self.epsilon, least=0.0)
        if self.loss in ("epsilon_insensitive", "squared_epsilon_insensitive"):
            return named(self.loss, self)
        raise ValueError(f"loss must be 'epsilon_insensitive' or 'squared_epsilon_insensitive', not {self.loss!r}")
