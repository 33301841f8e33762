"""Regularisation paths: a fit for each strength of the penalty, each from the last one's solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import clone

from gradwright.linear_model.certificate import FitResult


@dataclass(frozen=True)
class Path:
    """Solutions along a path of penalties: strengths (m,), coefficients (m, K, d), intercepts (m, K), certificates."""

    strengths: ndarray
    coefs: ndarray
    intercepts: ndarray
    results: list[FitResult]


def regularization_path(estimator: Any, X: Any, y: Any, strengths: Sequence[float], sample_weight: Any = None) -> Path:
    """Fit an estimator for each strength of its penalty, from the strongest, each from the last one's solution.

    Args:
        estimator: with a parameter ``C`` or ``alpha``; it is not changed.
        X, y, sample_weight: as for its ``fit``.
        strengths: values of that parameter.

    >>> from gradwright.linear_model import Lasso
    >>> path = regularization_path(Lasso(), [[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], [0.1, 1.0])
    >>> path.coefs[:, 0, 0].round(2).tolist()
    [0.85, 0.0]
    """
    model = clone(estimator)
    name = "C" if "C" in model.get_params() else "alpha"
    model.set_params(warm_start=True)
    values = np.asarray(strengths, np.float64)
    order = np.argsort(values if name == "C" else -values, kind="stable")
    kept: dict[int, tuple[ndarray, ndarray, FitResult]] = {}
    for place in order:
        model.set_params(**{name: float(values[place])})
        model.fit(X, y, sample_weight)
        kept[int(place)] = (np.atleast_2d(model.coef_).copy(), np.atleast_1d(model.intercept_).copy(), model.result_)
    each = [kept[i] for i in range(len(values))]
    return Path(values, np.array([c for c, _, _ in each]), np.array([b for _, b, _ in each]), [r for _, _, r in each])
