"""Logistic regression, binary and softmax."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import inputs
from gradwright.linear_model.estimators.arguments import estimator
from gradwright.linear_model.estimators.checks import check_number, normalised
from gradwright.linear_model.estimators.classifier import Classifier
from gradwright.linear_model.estimators.inference import StandardErrors, standard_errors
from gradwright.linear_model.losses import Logistic, Penalty, Softmax
from gradwright.linear_model.objective import Problem


@estimator
@dataclass(eq=False, repr=False)
class LogisticRegression(Classifier):
    """Logistic regression, to the proven optimum; joint softmax for more than two classes.

        min  C Σᵢ wᵢ ℓ(xᵢ W + b, yᵢ) + l1_ratio ‖W‖₁ + (1 − l1_ratio) ½ ‖W‖²

    as in scikit-learn; wᵢ is ``sample_weight`` times ``class_weight``, so multiplying all weights by k is the same as
    C k. ``result_.objective`` is this divided by C Σ wᵢ: mean loss plus penalty.

    Coming from cuML's QN: ``C`` = 1 / (l1_strength + l2_strength) with ``penalty_normalized=True``, ``l1_ratio`` =
    l1_strength / (l1_strength + l2_strength); ``tol`` here bounds the relative objective gap, ``delta``,
    ``linesearch_max_iter`` and ``lbfgs_memory`` have no counterpart since the solver chooses for itself. Weights count
    in softmax too, unlike there.

    Args:
        C: inverse strength of the penalty, above 0; infinity for none. Default 1.
        l1_ratio: part of the penalty that is L1, in [0, 1]. Default 0.
        class_weight: None, 'balanced' (n / (K n_k)), or a dict of class: weight. Default None.
        multi_class: 'auto' or 'softmax'; 'softmax' gives two classes two columns of coefficients each. Default 'auto'.
        groups: lists of column numbers that enter or leave together: where ``l1_ratio`` is above 0, its penalty is
            √|g| ‖W_g‖₂ for a group and ‖Wⱼ‖₁ for columns in none. Default None.
        fit_intercept, tol, max_iter, warm_start, penalty_factors, callback, distributed: see ``LinearModel``.

    Attributes:
        coef_: shape (1, d) for two classes, else (K, d).
        intercept_: shape (1,) or (K,).
        classes_, n_features_in_, n_iter_, result_: labels, columns, iterations, certificate.

    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> model = LogisticRegression().fit(X, [0, 0, 1, 1])
    >>> str(model.result_.status), model.predict([[2.5]]).tolist()
    ('converged', [1])
    """

    C: float = 1.0
    _: KW_ONLY
    l1_ratio: float = 0.0
    class_weight: Any = None
    multi_class: str = "auto"
    groups: Any = None

    def _problem(self, X: Any, y: Any, sample_weight: Any, offset: Any) -> Problem:
        self._check_common()
        check_number("C", self.C, above=0.0, infinite=True)
        if self.multi_class not in ("auto", "softmax"):
            raise ValueError(f"multi_class is 'auto' or 'softmax', not {self.multi_class!r}")
        data, y, weights = self._read(X, y, sample_weight)
        labels = self._labels(y, data)
        s, total = normalised(self._weigh(weights, labels, data), data)
        self._refuse_one_class(s, labels, data)
        K = len(self.classes_)
        binary = K == 2 and self.multi_class == "auto"
        loss, width = (Logistic(), 1) if binary else (Softmax(K), K)
        penalty = Penalty.split(1.0 / (self.C * total), self.l1_ratio, self._factors(data.d), self._groups(data.d))
        given = inputs.offsets(offset, data.n, width)
        return Problem(data, loss, labels, width, s, given, penalty, self.fit_intercept, total)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> LogisticRegression:
        """Fit to rows X (n, d), or to a function that gives an iterator of chunks (X, y[, sample_weight]).

        Args:
            X: array, data frame, CSR matrix, memory map or tensor; or such a function.
            y: labels, shape (n,); None where X is a function.
            sample_weight: shape (n,), at least 0.
            offset: added to the predictions, shape (n,), or (n, K) for softmax.

        Raises:
            ValueError: missing values or text in a column, one class only, no weight above 0.
        """
        self._solve(self._problem(X, y, sample_weight, offset), multiple=True)
        return self

    def predict_proba(self, X: Any, offset: Any = None) -> ndarray:
        """Probabilities of the classes, shape (n, K)."""
        z = self._predictions(X, offset)
        if z.ndim == 1:
            return np.column_stack([Logistic().mean(-z), Logistic().mean(z)])
        return Softmax(z.shape[1]).mean(z)

    def predict_log_proba(self, X: Any, offset: Any = None) -> ndarray:
        """Their logarithms, exact where a probability is too small for a number."""
        z = self._predictions(X, offset)
        if z.ndim == 1:
            return -np.column_stack([np.logaddexp(0.0, z), np.logaddexp(0.0, -z)])
        top = z.max(1, keepdims=True)
        return z - top - np.log(np.exp(z - top).sum(1, keepdims=True))

    def standard_errors(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> StandardErrors:
        """Standard errors of the coefficients on the rows of the fit; see ``inference.standard_errors``."""
        return standard_errors(self, X, y, sample_weight, offset)
