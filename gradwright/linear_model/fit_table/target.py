"""The target column: the loss that suits its values, and the rows that are held out."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from sklearn.model_selection import train_test_split

from gradwright.linear_model.fit_table.models import CLASSES, MODELS
from gradwright.linear_model.fit_table.one_hot import LONGEST
from gradwright.linear_model.fit_table.table import Table
from gradwright.linear_model.fit_table.text import quoted, shown

FEW = 20
"""Whole numbers up to which they are taken for classes."""
CLASSES_PER_ROW = 0.5
"""From there on a target is no class."""
LARGEST, SMALLEST = 1e150, 1e-150
"""Between these a square neither overflows nor vanishes."""


def suited_loss(y: ndarray) -> str:
    """Softmax for text or few whole numbers, else squared."""
    whole = np.issubdtype(y.dtype, np.integer) or y.dtype == bool
    few = whole and len(np.unique(y)) <= min(FEW, CLASSES_PER_ROW * len(y))
    return "softmax" if not np.issubdtype(y.dtype, np.number) or few else "squared"


def prepared(table: Table, target: str, loss: str) -> ndarray:
    """The target as ``loss`` wants it: labels or float64.

    Raises:
        ValueError: a value does not suit, with its line; or all are equal.
    """
    return _as_classes(table, target) if loss in CLASSES else _as_numbers(table, target, loss)


def _as_classes(table: Table, target: str) -> ndarray:
    """Labels, as text where they are no whole numbers."""
    y, name = table.y, quoted(target)
    if y.dtype.kind != "i":
        longest = int(np.argmax([len(str(label)) for label in y]))
        if len(str(y[longest])) > LONGEST:
            raise ValueError(
                f"column {name} holds a text of {len(str(y[longest])):,} characters in {table.where(longest)}, which "
                "is no class; replace it by a short name"
            )
        y = np.array([str(label) for label in y])
    kinds = np.unique(y).tolist()
    if len(kinds) < 2:
        raise ValueError(f"column {name} holds one class only, {_label(kinds[0])}; a fit needs two")
    if len(kinds) > CLASSES_PER_ROW * len(y):
        way = "use --loss squared for numbers" if table.y.dtype.kind in "if" else "give more rows of each"
        raise ValueError(f"column {name} has {len(kinds)} classes in {len(y)} rows; {way}")
    return y


def _label(value: object) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)


def _as_numbers(table: Table, target: str, loss: str) -> ndarray:
    y, name = table.y, quoted(target)
    if y.dtype.kind not in "ifb":
        raise ValueError(f"column {name} holds text, which --loss {loss} cannot predict; use --loss softmax")
    y = y.astype(np.float64)
    if np.ptp(y) == 0:
        raise ValueError(f"column {name} holds {y[0]:g} in every row, so that there is nothing to predict")
    wants = MODELS[loss](1.0, y)._loss().targets
    outside = np.flatnonzero((y < wants.low) | (y > wants.high))
    if len(outside):
        raise ValueError(
            f"column {name} holds {y[outside[0]]:g} in {table.where(outside[0])}, and --loss {loss} takes numbers "
            f"{wants.words.replace('at least', 'of at least')} only; use --loss squared"
        )
    refuse_sizes(y[:, None], [target], table)
    return y


def refuse_sizes(X: ndarray, names: list[str], table: Table) -> None:
    """Refuse columns whose squares overflow or vanish.

    Raises:
        ValueError: one does, with the line of its largest number.
    """
    peak = np.abs(X).max(0)
    with np.errstate(over="ignore"):
        spread = np.ptp(X, axis=0)
    for j in np.flatnonzero(~(np.maximum(peak, spread) < LARGEST) | ((spread > 0) & (spread < SMALLEST))):
        row = int(np.argmax(np.abs(X[:, j])))
        large = max(peak[j], spread[j]) >= LARGEST
        raise ValueError(
            f"column {quoted(names[j])} reaches {X[row, j]:.3g} in {table.where(row)}"
            f"{'' if large else ' at most'}, so that its square {'overflows' if large else 'vanishes'}; give it in "
            f"{'larger' if large else 'smaller'} units, or correct that number"
        )


def split(table: Table, y: ndarray, target: str, loss: str, test_size: float, seed: int) -> tuple[ndarray, ndarray]:
    """Rows to fit and rows held out, of each class alike where there are enough of it.

    Raises:
        ValueError: too few rows for either part, or rows to fit that are all of one class or value.
    """
    n, name = len(y), quoted(target)
    held = int(np.ceil(test_size * n))
    if not 0 < held < n:
        raise ValueError(f"{n} row{'s' * (n != 1)} cannot be split with test_size {test_size:g}; give more rows")
    classes, stratify = loss in CLASSES, None
    if classes:
        counts = np.unique(y, return_counts=True)[1]
        if counts.min() >= 2 and min(held, n - held) >= len(counts):
            stratify = y
    train, test = train_test_split(np.arange(n), test_size=test_size, random_state=seed, stratify=stratify)
    fitted = y[train]
    if np.all(fitted == fitted[0]):
        value = _label(fitted[0].item()) if classes else f"{fitted[0]:g}"
        raise ValueError(
            f"column {name} holds {value} in every row to fit ({len(train)}), of which nothing can be learnt; give "
            "more rows, or another --seed or --test-size"
        )
    return train, test


def unseen(y: ndarray, train: ndarray, test: ndarray) -> str:
    """Classes that only held-out rows have, in a sentence; empty where there is none."""
    alone = np.setdiff1d(y[test], y[train]).tolist()
    if not alone:
        return ""
    words = ", ".join(shown(label) for label in alone[:5]) + (f" and {len(alone) - 5} more" if len(alone) > 5 else "")
    return f"only held-out rows are of class {words}: the fit never saw it, and each such row counts as wrong"
