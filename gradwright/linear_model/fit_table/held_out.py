"""Held out: how good a fit is on rows that it never saw, beside the best that needs no columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import is_classifier

from gradwright.linear_model.estimators.regressor import DevianceRegressor
from gradwright.linear_model.fit_table.drawing import plain
from gradwright.linear_model.fit_table.text import quoted


@dataclass(frozen=True)
class HeldOut:
    """The score of held-out rows.

    Attributes:
        score: accuracy, R² or D²; NaN where it is not defined.
        what: which of them.
        rows: how many were held out.
        baseline: what the score is compared with, in words.
        compared: (figure, what it is) of the baseline, for a card.
    """

    score: float
    what: str
    rows: int
    baseline: str
    compared: tuple[str, str]

    def __str__(self) -> str:
        return f"held-out {self.what} {figure(self.score)} ({self.rows} row{'s' * (self.rows != 1)}); {self.baseline}"


def figure(value: float) -> str:
    """A score with four digits behind the point, or few digits where it is far from 1."""
    if np.isnan(value):
        return "not defined"
    return f"{round(value, 4) + 0.0:.4f}" if abs(value) < 1000 else f"{value:.3g}"


def held_out(model: Any, X: Any, y: ndarray, fitted: ndarray) -> HeldOut:
    """Score a model on held-out rows X (n, d), y (n,); ``fitted`` are the targets of the rows of the fit."""
    if is_classifier(model):
        labels, counts = np.unique(fitted, return_counts=True)
        most = labels[counts.argmax()]
        share = float(np.mean(y == most))
        name = quoted(most) if isinstance(most, str) else str(most)
        words = f"always {name}, the most frequent class of the rows to fit, gets {figure(share)}"
        card = figure(share), f"always {name}, the most frequent class"
        return HeldOut(float(model.score(X, y)), "accuracy", len(y), words, card)
    guess = model.predict(X)
    middle = float(np.median(fitted))
    with np.errstate(over="ignore", invalid="ignore"):
        mine, constant = float(np.mean(np.abs(guess - y))), float(np.mean(np.abs(middle - y)))
        # of rows that are all alike nothing is to be explained
        score = float(model.score(X, y)) if np.isfinite(guess).all() and np.ptp(y) > 0 else float("nan")
    always = f"of always {plain(middle)} (the median of the rows to fit) {plain(constant)}"
    words = f"mean absolute error {plain(mine)}, {always}"
    if np.ptp(y) == 0:
        words = f"every held-out target is {plain(y[0])}, so that there is no {_name(model)}; {words}"
    elif not np.isfinite(guess).all():
        words = f"predictions of held-out rows far from those of the fit overflow; {words}"
    card = plain(mine), f"mean absolute error; always {plain(middle)}, the median, has {plain(constant)}"
    return HeldOut(score, _name(model), len(y), words, card)


def _name(model: Any) -> str:
    """What ``score`` of a regressor answers."""
    squared = not isinstance(model, DevianceRegressor) or model._loss().name == "squared"
    return "R²" if squared else "D² (part of the loss explained)"
