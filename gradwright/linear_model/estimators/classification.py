"""Classifiers: logistic regression, binary and softmax."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from gradwright.linear_model.data import Data, inputs
from gradwright.linear_model.estimators.base import LinearModel, check_number, normalised
from gradwright.linear_model.estimators.inference import StandardErrors, standard_errors
from gradwright.linear_model.losses import Logistic, Penalty, Softmax
from gradwright.linear_model.objective import Problem


def distinct(y: ndarray) -> ndarray:
    """The distinct labels, sorted; whole numbers close together are counted, not sorted."""
    if y.dtype.kind in "iu" and len(y):
        least, most = int(y.min()), int(y.max())
        if most - least <= len(y):
            return (np.flatnonzero(np.bincount((y - least).astype(np.intp))) + least).astype(y.dtype)
    return np.unique(y)


class Classifier(ClassifierMixin, LinearModel):
    """What classifiers share: labels, class weights and decisions."""

    def _labels(self, y: ndarray, data: Data) -> ndarray:
        """Set ``classes_`` and answer each row's place in it, as float64."""
        inputs.refuse_missing(y)
        if y.dtype.kind not in "iub":  # whole numbers are always labels, and looking at them all takes time
            check_classification_targets(y)
        if data.reduce is None:
            self.classes_ = distinct(y)
        else:
            from gradwright.linear_model.data.distributed import union

            self.classes_ = union(y)
        if len(self.classes_) < 2:
            only = self.classes_.tolist()[0]
            raise ValueError(f"y holds one class only, {only!r}; a classifier needs rows of at least two classes")
        first = self.classes_[0]
        if y.dtype.kind in "iu" and self.classes_[-1] - first == len(self.classes_) - 1:
            return (y - first).astype(np.float64)
        return np.searchsorted(self.classes_, y).astype(np.float64)

    def _weigh(self, weights: ndarray | None, labels: ndarray, data: Data) -> ndarray | None:
        """Sample weights times class weights."""
        if self.class_weight is None:
            return weights
        if self.class_weight == "balanced":
            own = np.ones(len(labels)) if weights is None else weights
            share = data.sum(np.bincount(labels.astype(np.intp), own, len(self.classes_)))
            if data.reduce is None and weights is None:
                factors = compute_class_weight("balanced", classes=np.arange(len(share)), y=labels.astype(np.intp))
            else:
                factors = share.sum() / (len(share) * np.where(share > 0, share, 1.0))
        elif isinstance(self.class_weight, dict):
            unknown = set(self.class_weight) - set(self.classes_.tolist())
            if unknown:
                raise ValueError(
                    f"The classes, {sorted(unknown, key=str)}, of class_weight are not in class_label; "
                    f"y holds {self.classes_.tolist()}"
                )
            factors = np.array([float(self.class_weight.get(c, 1.0)) for c in self.classes_.tolist()])
            if np.any(factors < 0):
                raise ValueError(f"class_weight must be at least zero, not {self.class_weight!r}")
        else:
            raise ValueError(f"class_weight is None, 'balanced' or a dict of class: weight, not {self.class_weight!r}")
        per_row = factors[labels.astype(np.intp)]
        return per_row if weights is None else weights * per_row

    def _refuse_one_class(self, s: ndarray | None, labels: ndarray, data: Data) -> None:
        """Two classes of which one has no weight have no optimum, whatever the penalty: the intercept is free."""
        if len(self.classes_) > 2 or (s is None and data.reduce is None):
            return
        share = data.sum(np.bincount(labels.astype(np.intp), s, 2))
        if not share.all():
            only = self.classes_.tolist()[int(share.argmax())]
            raise ValueError(
                f"sample_weight and class_weight leave one class only, {only!r}; a classifier needs rows of at least "
                "two classes with a weight above 0"
            )

    def decision_function(self, X: Any, offset: Any = None) -> ndarray:
        """Xw + b, shape (n,) for two classes, else (n, K); for a softmax of two the difference of both columns."""
        z = self._predictions(X, offset)
        return z[:, 1] - z[:, 0] if z.ndim == 2 and len(self.classes_) == 2 else z

    def predict(self, X: Any, offset: Any = None) -> ndarray:
        """The class of each row."""
        z = self._predictions(X, offset)
        return self.classes_[(z > 0).astype(np.intp) if z.ndim == 1 else z.argmax(1)]


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
