"""Split: rows held out, on which variants of a model are compared."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray


@dataclass
class Split:
    """Rows of which two thirds are fitted to and the others scored; ``offset`` and ``weights`` may be None."""

    X: ndarray
    y: ndarray
    weights: ndarray | None
    offset: ndarray | None
    train: ndarray
    test: ndarray
    classes: bool

    @property
    def what(self) -> str:
        """The name of the score."""
        return "accuracy" if self.classes else "R²"

    def better(self, guess: ndarray, than: ndarray) -> bool:
        """Whether predictions score higher by 0.01 and by two standard errors of the difference, row by row."""
        y = self.y[self.test]
        if self.classes:
            gain = (guess == y).astype(np.float64) - (than == y)
        else:
            gain = ((than - y) ** 2 - (guess - y) ** 2) / max(float(np.var(y)), 1e-300)
        w = np.ones(len(y)) if self.weights is None else self.weights[self.test]
        mean = float(np.average(gain, weights=w))
        error = float(np.sqrt(np.sum((w * (gain - mean)) ** 2)) / w.sum())
        return mean > max(0.01, 2.0 * error)

    def fit(self, model: Any, X: ndarray | None = None) -> Any:
        """The model, fitted to the training rows of X."""
        X = self.X if X is None else X
        more = {} if self.weights is None else {"sample_weight": self.weights[self.train]}
        if self.offset is not None:
            more["offset"] = self.offset[self.train]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(X[self.train], self.y[self.train], **more)

    def predict(self, fitted: Any, X: ndarray | None = None) -> ndarray:
        """Its predictions of the other rows."""
        X = self.X if X is None else X
        more = {} if self.offset is None else {"offset": self.offset[self.test]}
        return fitted.predict(X[self.test], **more)

    def score(self, guess: ndarray) -> float:
        """Accuracy or R² of predictions of the other rows; R² wants a ``spread`` above 0."""
        y, w = self.y[self.test], None if self.weights is None else self.weights[self.test]
        if self.classes:
            return float(np.average(guess == y, weights=w))
        return float(1 - np.average((guess - y) ** 2, weights=w) / self.spread)

    @property
    def spread(self) -> float:
        """The variance of targets that are numbers in the other rows: what R² divides by."""
        y, w = self.y[self.test], None if self.weights is None else self.weights[self.test]
        return float(np.average((y - np.average(y, weights=w)) ** 2, weights=w)) if np.ptp(y) > 0 else 0.0


def figure(score: float) -> str:
    """A score with three digits behind the point, and with few digits where it is far from 1."""
    return f"{score:.3f}" if abs(score) < 1000 else f"{score:.3g}"
