"""The target column: the loss that suits its values, and the rows that are held out."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from sklearn.model_selection import train_test_split

FEW = 20
"""Whole numbers up to which they are taken for classes."""


def suited_loss(y: ndarray) -> str:
    """Softmax for text or few whole numbers, else squared."""
    whole = np.issubdtype(y.dtype, np.integer) or y.dtype == bool
    return "softmax" if not np.issubdtype(y.dtype, np.number) or (whole and len(np.unique(y)) <= FEW) else "squared"


def as_classes(y: ndarray, target: str) -> ndarray:
    """Labels, as text where they are no numbers.

    Raises:
        ValueError: one class only, or nearly as many as rows.
    """
    y = y.astype(str) if not np.issubdtype(y.dtype, np.number) else y
    kinds = np.unique(y).tolist()
    if len(kinds) < 2:
        raise ValueError(f"column {target!r} holds one class only, {kinds[0]!r}; a fit needs two")
    if len(kinds) > 0.5 * len(y):
        raise ValueError(f"column {target!r} has {len(kinds)} classes in {len(y)} rows; use --loss squared for numbers")
    return y


def as_numbers(y: ndarray, target: str, loss: str) -> ndarray:
    """Targets in float64.

    Raises:
        ValueError: they are text.
    """
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"column {target!r} holds text, which --loss {loss} cannot predict; use --loss softmax"
        ) from None


def split(y: ndarray, classes: bool, test_size: float, seed: int) -> tuple[ndarray, ndarray]:
    """Rows to fit and rows held out, of each class alike where there are enough of it.

    Raises:
        ValueError: too few rows for either part.
    """
    held = int(np.ceil(test_size * len(y)))
    if not 0 < held < len(y):
        raise ValueError(f"{len(y)} rows cannot be split with test_size {test_size:g}; give more rows")
    stratify = None
    if classes:
        counts = np.unique(y, return_counts=True)[1]
        if counts.min() >= 2 and min(test_size, 1 - test_size) * len(y) >= len(counts):
            stratify = y
    train, test = train_test_split(np.arange(len(y)), test_size=test_size, random_state=seed, stratify=stratify)
    return train, test
