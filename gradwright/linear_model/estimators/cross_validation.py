"""The choice of C by cross-validation over regularisation paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv

from gradwright.linear_model.certificate import FitResult
from gradwright.linear_model.data import Data, inputs
from gradwright.linear_model.estimators.arguments import estimator
from gradwright.linear_model.estimators.checks import normalised
from gradwright.linear_model.estimators.logistic_regression import LogisticRegression
from gradwright.linear_model.losses import Logistic, Penalty, Softmax
from gradwright.linear_model.objective import Problem
from gradwright.linear_model.solvers import solve


class _Held(LogisticRegression):
    """A fit of a fold, as scorers see it: its predictions are of the held-out rows, with their offset."""

    offset_: Any = None

    def _predictions(self, X: Any, offset: Any = None) -> Any:
        return super()._predictions(X, self.offset_ if offset is None else offset)


@estimator
class LogisticRegressionCV(LogisticRegression):
    """Logistic regression whose C, and optionally l1_ratio, is chosen by cross-validation.

    Every fit of every fold is brought to ``tol``, so that the choice does not depend on where a solver gave up. Folds
    are weights of zero, not copies of X.

    Args:
        Cs: a number of values from 1e-4 to 1e4, or the values. Default 10.
        cv: folds, a splitter or an iterable of (train, test). Default 5, stratified.
        l1_ratios: values to try. Default (0.0,).
        scoring: None for the mean log-likelihood of held-out rows, or a scikit-learn scorer or its name. Held-out rows
            keep their ``offset`` and count by their ``sample_weight``, for None by their class weights too.
        refit: whether to fit on all rows with the best parameters.
        Others as in ``LogisticRegression``.

    Attributes:
        C_, l1_ratio_: the best.
        Cs_, scores_: values, and scores of shape (folds, l1_ratios, Cs).
        fold_results_: certificates in the same order.
    """

    def __init__(
        self,
        *,
        Cs: Any = 10,
        cv: Any = None,
        l1_ratios: Sequence[float] = (0.0,),
        scoring: Any = None,
        refit: bool = True,
        fit_intercept: bool = True,
        class_weight: Any = None,
        multi_class: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        penalty_factors: Any = None,
        groups: Any = None,
        callback: Any = None,
    ):
        self.Cs = Cs
        self.cv = cv
        self.l1_ratios = l1_ratios
        self.scoring = scoring
        self.refit = refit
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.multi_class = multi_class
        self.tol = tol
        self.max_iter = max_iter
        self.penalty_factors = penalty_factors
        self.groups = groups
        self.callback = callback

    warm_start = False
    distributed = False
    C = 1.0
    l1_ratio = 0.0

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None) -> LogisticRegressionCV:
        """Fit to rows X (n, d) and labels y (n,); see ``LogisticRegression.fit``."""
        self._check_common()
        if callable(X):
            raise ValueError("cross-validation needs X in memory or memory-mapped; give an array")
        if self.multi_class not in ("auto", "softmax"):
            raise ValueError(f"multi_class is 'auto' or 'softmax', not {self.multi_class!r}")
        Cs = np.logspace(-4, 4, self.Cs) if isinstance(self.Cs, (int, np.integer)) else np.asarray(self.Cs, np.float64)
        if len(Cs) == 0 or np.any(~(Cs > 0)):
            raise ValueError(f"Cs must be a number of values or values above 0, not {self.Cs!r}")
        data, y, given = self._read(X, y, sample_weight)
        labels = self._labels(y, data)
        weights = self._weigh(given, labels, data)
        weights = np.ones(data.n) if weights is None else weights
        K = len(self.classes_)
        binary = K == 2 and self.multi_class == "auto"
        loss, width = (Logistic(), 1) if binary else (Softmax(K), K)
        off = inputs.offsets(offset, data.n, width)
        factors, groups = self._factors(data.d), self._groups(data.d)
        ratios = [float(r) for r in self.l1_ratios]
        (part,) = list(data.parts())
        folds = list(check_cv(self.cv, y, classifier=True).split(np.empty((data.n, 1)), y))
        order = np.argsort(Cs, kind="stable")
        scores = np.zeros((len(folds), len(ratios), len(Cs)))
        self.fold_results_: list[FitResult] = []
        frame = None
        for fold, (train, test) in enumerate(folds):
            held = np.zeros(data.n)
            held[train] = weights[train]
            s, total = normalised(held, data)
            for r, ratio in enumerate(ratios):
                start = None
                for c in order:
                    penalty = Penalty.split(1.0 / (Cs[c] * total), ratio, factors, groups)
                    problem = Problem(data, loss, labels, width, s, off, penalty, self.fit_intercept, total, frame)
                    W, b, result = solve(problem, self._budget(), start)
                    frame = problem.frame if ratio == 0 else frame
                    start = (W, b)
                    self.fold_results_.append(result)
                    scores[fold, r, c] = self._score_fold(
                        problem, part[test], labels[test], weights[test], W, b, y[test], off, test, given
                    )
        mean = scores.mean(0)
        best_ratio, best_C = np.unravel_index(int(np.argmax(mean)), mean.shape)
        self.Cs_, self.scores_ = Cs, scores
        self.C_, self.l1_ratio_ = float(Cs[best_C]), ratios[int(best_ratio)]
        s, total = normalised(weights, data)
        penalty = Penalty.split(1.0 / (self.C_ * total), self.l1_ratio_, factors, groups)
        problem = Problem(Data.of(part), loss, labels, width, s, off, penalty, self.fit_intercept, total)
        if self.refit:
            self._solve(problem, multiple=True)
        return self

    def _score_fold(self, problem, X, labels, weights, W, b, y, offset, test, given) -> float:
        if self.scoring is None:
            z = np.asarray(X @ W, np.float64) + b + (0.0 if offset is None else offset[test])
            value, _, _ = problem.loss.rows(z, labels)
            total = weights.sum()
            return -float(weights @ value) / total if total > 0 else 0.0
        model = _Held()
        model.coef_, model.intercept_, model.classes_ = W.T, b, self.classes_
        model.n_features_in_ = W.shape[0]
        model.offset_ = None if offset is None else offset[test]
        scorer = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        if given is None:
            return float(scorer(model, X, y))
        if not given[test].any():
            return 0.0
        try:
            return float(scorer(model, X, y, sample_weight=given[test]))
        except TypeError as why:
            if "sample_weight" not in str(why):
                raise
            raise ValueError(
                f"scoring {self.scoring!r} takes no sample_weight, so that it would choose C for other rows than those "
                "of the fit; give a scorer that takes it, scoring=None, or no sample_weight"
            ) from why

    def _problem(self, X: Any, y: Any, sample_weight: Any, offset: Any) -> Problem:
        chosen = LogisticRegression(
            self.C_, l1_ratio=self.l1_ratio_, fit_intercept=self.fit_intercept, class_weight=self.class_weight,
            multi_class=self.multi_class, penalty_factors=self.penalty_factors, groups=self.groups,
        )  # fmt: skip
        return chosen._problem(X, y, sample_weight, offset)
