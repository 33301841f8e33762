"""Curves of held-out rows: what a classifier gains and pays at each threshold, and what a regressor leaves."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.fit_table.drawing import BOTTOM, WIDTH, Axes, plain, svg, text
from gradwright.linear_model.fit_table.text import shown

MOST = 8
"""Classes whose curves are drawn, the most frequent ones."""
POINTS = 300
"""Points of a curve at most."""


def roc(model: Any, X: Any, y: ndarray) -> str:
    """True positives over false positives; of several classes one line each, against the rest."""

    def curve(hit: ndarray, score: ndarray) -> tuple[ndarray, ndarray, float]:
        right, wrong = _counts(hit, score)
        a, b = wrong / wrong[-1], right / right[-1]
        return a, b, float(np.sum(np.diff(a) * 0.5 * (b[1:] + b[:-1])))

    axes = Axes("false positive rate", "true positive rate", (0.0, 1.0), (0.0, 1.0))
    (x0, y0), (x1, y1) = axes.at(0, 0), axes.at(1, 1)
    chance = f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="var(--soft)" stroke-dasharray="4 4"/>'
    return _drawn(axes, [chance], curve, _each(model, X, y), "area", "ROC curve")


def precision_recall(model: Any, X: Any, y: ndarray) -> str:
    """Precision over recall; the average precision is the area of its steps."""

    def curve(hit: ndarray, score: ndarray) -> tuple[ndarray, ndarray, float]:
        right, wrong = (each[1:] for each in _counts(hit, score))
        recall, precision = right / right[-1], right / (right + wrong)
        average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
        return np.append(0.0, recall), np.append(precision[0], precision), average

    axes = Axes("recall", "precision", (0.0, 1.0), (0.0, 1.0))
    return _drawn(axes, [], curve, _each(model, X, y), "average precision", "precision and recall")


def _counts(hit: ndarray, score: ndarray) -> tuple[ndarray, ndarray]:
    """Right and wrong ones among the surest, from none to all; rows of one score come together."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    right = np.append(0, np.cumsum(hit[order])[ends]).astype(np.float64)
    return right, np.append(0, ends + 1) - right


def _each(model: Any, X: Any, y: ndarray) -> list[tuple[str, ndarray, ndarray]]:
    """For each class with rows of it and of others: its name, which rows are of it, and how sure the model is."""
    z = model.predict_proba(X) if hasattr(model, "predict_proba") else model.decision_function(X)
    if z.ndim == 1:
        z = np.column_stack([-z, z])
    kinds = list(enumerate(model.classes_))
    kinds = kinds[1:] if len(kinds) == 2 else sorted(kinds, key=lambda each: -int(np.sum(y == each[1])))
    found = [(shown(kind), y == kind, z[:, place]) for place, kind in kinds]
    return [(name, hit, score) for name, hit, score in found if hit.any() and not hit.all()]


def _drawn(axes: Axes, under: list[str], curve: Any, each: list, what: str, label: str) -> str:
    if not each:
        return svg(40, [text(10, 26, "the held-out rows are all of one class")], label)
    body, legend = [*axes.draw(), *under], []
    for place, (name, hit, score) in enumerate(each[:MOST]):
        a, b, area = curve(hit, score)
        some = np.unique(np.linspace(0, len(a) - 1, POINTS).astype(int))
        line = " ".join("{:.1f},{:.1f}".format(*axes.at(a[i], b[i])) for i in some)
        fade = 1.0 if len(each) == 1 else 0.95 - 0.7 * place / min(len(each), MOST)
        said = f"{name}: {what} {area:.3f}"
        body.append(
            f'<polyline points="{line}" fill="none" stroke="var(--good)" stroke-width="2" stroke-opacity="{fade:.2f}">'
            f"<title>{escape(said)}</title></polyline>"
        )
        legend.append((said, fade))
    for row, (said, fade) in enumerate(legend):
        y = BOTTOM + 62 + 18 * row
        body.append(
            f'<line x1="14" x2="34" y1="{y - 4}" y2="{y - 4}" stroke="var(--good)" stroke-width="3" '
            f'stroke-opacity="{fade:.2f}"/>'
        )
        body.append(text(42, y, said, room=WIDTH - 50))
    height = BOTTOM + 68 + 18 * len(legend)
    if len(each) > MOST:
        body.append(text(42, height - 4, f"the {MOST} most frequent of {len(each)} classes", style="soft"))
        height += 14
    return svg(height, body, label)


def residuals(y: ndarray, guess: ndarray, most: int = 1500) -> str:
    """What is left of the targets over predictions: a shape in it is what the model has not learnt."""
    step = max(1, -(-len(y) // most))
    guess, left = np.asarray(guess, float), np.asarray(y, float) - guess
    drawn = np.isfinite(guess) & np.isfinite(left)
    guess, left = guess[drawn], left[drawn]
    if not len(left):
        return svg(40, [text(10, 26, "every prediction overflows")], "residuals")
    middle, spread = float(np.mean(left)), float(np.std(left))
    guess, left = guess[::step], left[::step]
    axes = Axes(
        "prediction", "target − prediction", (guess.min(), guess.max()), (min(left.min(), 0), max(left.max(), 0))
    )
    (x0, y0), (x1, _) = axes.at(guess.min(), 0.0), axes.at(guess.max(), 0.0)
    body = [*axes.draw(), f'<path d="M{x0:.1f} {y0:.1f}H{x1:.1f}" stroke="var(--soft)" stroke-dasharray="4 4"/>']
    for a, b in zip(guess, left):
        x, v = axes.at(a, b)
        body.append(f'<circle cx="{x:.1f}" cy="{v:.1f}" r="2.2" fill="var(--good)" fill-opacity=".45"/>')
    body.append(text(14, BOTTOM + 62, f"mean {plain(middle, 3)}, standard deviation {plain(spread, 3)}", style="soft"))
    return svg(BOTTOM + 70, body, "residuals")
