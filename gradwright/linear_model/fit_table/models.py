"""Models: the losses that a table may be fitted with, and what C is to each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.estimators import (
    GeneralizedLinearModel,
    HuberRegressor,
    LeastAbsoluteDeviations,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    Ridge,
)

CLASSES = ("softmax", "hinge", "squared_hinge")


def _spread(y: ndarray) -> float:
    """How far y is from its median: the unit of a penalty beside a loss that grows as the error and not its square."""
    return float(np.mean(np.abs(y - np.median(y))))


MODELS: dict[str, Callable[[float, ndarray], Any]] = {
    "softmax": lambda C, y: LogisticRegression(C=C),
    "hinge": lambda C, y: LinearSVC(C=C, loss="hinge"),
    "squared_hinge": lambda C, y: LinearSVC(C=C),
    "squared": lambda C, y: Ridge(alpha=1 / C),
    "poisson": lambda C, y: GeneralizedLinearModel("poisson", alpha=1e-3 / C),
    "gamma": lambda C, y: GeneralizedLinearModel("gamma", alpha=1e-3 / C),
    "huber": lambda C, y: HuberRegressor(alpha=1e-4 / (C * _spread(y))),
    "absolute": lambda C, y: LeastAbsoluteDeviations(alpha=1e-3 / (C * _spread(y))),
    "epsilon_insensitive": lambda C, y: LinearSVR(C=C * _spread(y)),
}
"""Losses by name, and their model for an inverse strength C of the penalty and the targets of the rows to fit."""
