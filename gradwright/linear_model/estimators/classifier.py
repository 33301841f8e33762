"""What classifiers share: labels, class weights and decisions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from gradwright.linear_model.data import Data, inputs
from gradwright.linear_model.estimators.base import LinearModel


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
        """Where one class has all the weight there is no optimum, whatever the penalty: the intercept is free."""
        if s is None and data.reduce is None:
            return
        share = data.sum(np.bincount(labels.astype(np.intp), s, len(self.classes_)))
        if np.count_nonzero(share) < 2:
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
