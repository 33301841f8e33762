"""Pictures of how a fit went on held-out rows and on its way to the optimum."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.fit_table.drawing import BOTTOM, WIDTH, Axes, apart, svg, text
from gradwright.linear_model.fit_table.text import shown

MOST_CLASSES = 20
"""Classes that a table shows."""


def confusion(model: Any, X: Any, y: ndarray) -> str:
    """How many rows of each class were taken for each; of many classes the most frequent."""
    guess = model.predict(X)
    # a class that only held-out rows have is shown too
    classes, counts = np.unique(np.concatenate([model.classes_, y]), return_counts=True)
    classes = np.sort(classes[np.argsort(-counts, kind="stable")[:MOST_CLASSES]])
    counts = np.array([[np.sum((y == a) & (guess == b)) for b in classes] for a in classes])
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    left = 110.0
    cell = min(78.0, (WIDTH - left - 4) / len(classes))
    # names that do not fit side by side stand upright
    upright = cell < 40
    head = 84.0 if upright else 40.0
    body = [
        text(left + 0.5 * cell * len(classes), 14, "predicted class", "middle", "soft"),
        text(4, head - 8, "true class", "start", "soft"),
    ]
    beside, above = apart(classes, left - 12), apart(classes, head - 24 if upright else cell - 2)
    for i, name in enumerate(classes):
        body.append(text(left - 8, head + cell * (i + 0.5) + 4, name, "end", words=beside[i]))
        x = left + cell * (i + 0.5)
        if upright:
            words = text(0, 0, name, "start", words=above[i])
            body.append(f'<g transform="translate({x + 4:.1f} {head - 5:.0f}) rotate(-90)">{words}</g>')
        else:
            body.append(text(x, head - 8, name, "middle", words=above[i]))
        for j, other in enumerate(classes):
            colour = "var(--good)" if i == j else "var(--bad)"
            place = (
                f'x="{left + cell * j:.1f}" y="{head + cell * i:.1f}" width="{cell - 1:.1f}" height="{cell - 1:.1f}"'
            )
            note = escape(f"{counts[i, j]} rows of class {shown(name)} taken for {shown(other)}")
            body.append(
                f'<rect {place} fill="{colour}" fill-opacity="{0.06 + 0.74 * share[i, j]:.2f}">'
                f"<title>{note}</title></rect>"
            )
            if 7 * len(str(counts[i, j])) < cell:
                body.append(text(left + cell * (j + 0.5), head + 4 + cell * (i + 0.5), counts[i, j], "middle"))
    height = head + cell * len(classes) + 6
    every = len(np.unique(np.concatenate([model.classes_, y])))
    if every > len(classes):
        body.append(text(4, height + 12, f"the {len(classes)} most frequent of {every} classes", "start", "soft"))
        height += 20
    return svg(height, body, "confusion matrix")


def reliability(model: Any, X: Any, y: ndarray, bins: int = 10) -> str:
    """How often predictions of some confidence are right, and the expected calibration error."""
    p = model.predict_proba(X)
    confidence, right = p.max(1), model.classes_[p.argmax(1)] == y
    low = 1 / p.shape[1]
    edges = np.linspace(low, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)
    axes = Axes("predicted probability", "share that is right", (low, 1.0), (0.0, 1.0))
    body, error = axes.draw(), 0.0
    (x0, y0), (x1, y1) = axes.at(low, low), axes.at(1, 1)
    body.append(f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="var(--soft)" stroke-dasharray="4 4"/>')
    for b in range(bins):
        chosen = place == b
        if not chosen.any():
            continue
        mean, share, count = confidence[chosen].mean(), right[chosen].mean(), int(chosen.sum())
        error += count / len(y) * abs(mean - share)
        cx, cy = axes.at(mean, share)
        size = 3 + 9 * np.sqrt(count / len(y))
        note = escape(f"{count} rows, predicted {mean:.3f}, right {share:.3f}")
        body.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{size:.1f}" fill="var(--good)" fill-opacity=".75">'
            f"<title>{note}</title></circle>"
        )
    body.append(text(WIDTH - 28, BOTTOM - 10, f"expected calibration error {error:.3f}", "end"))
    return svg(292, body, "reliability diagram")


def scatter(y: ndarray, guess: ndarray, most: int = 1500) -> str:
    """Targets over predictions of some rows."""
    step = max(1, -(-len(y) // most))
    y, guess = np.asarray(y, float)[::step], guess[::step]
    drawn = np.isfinite(guess)
    y, guess = y[drawn], guess[drawn]
    if not len(y):
        return svg(40, [text(10, 26, "every prediction overflows")], "targets and predictions")
    low, high = float(min(y.min(), guess.min())), float(max(y.max(), guess.max()))
    axes = Axes("prediction", "target", (low, high), (low, high))
    (x0, y0), (x1, y1) = axes.at(low, low), axes.at(high, high)
    line = f'<line x1="{x0:.1f}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="var(--soft)" stroke-dasharray="4 4"/>'
    body = [*axes.draw(), line]
    for a, b in zip(guess, y):
        x, v = axes.at(a, b)
        body.append(f'<circle cx="{x:.1f}" cy="{v:.1f}" r="2.2" fill="var(--good)" fill-opacity=".45"/>')
    return svg(292, body, "targets and predictions")


def convergence(result: Any) -> str:
    """The objective above its proven lower bound at each iteration."""
    bound = result.objective - result.gap_bound
    values = np.array([record.objective for record in result.history])
    if len(values) < 2:
        said = "the start was the optimum" if len(values) == 0 else "one step was enough"
        return svg(40, [text(10, 26, said)], "convergence")
    logs = np.log10(np.maximum(values - bound, 1e-17 * max(abs(bound), 1e-300)))
    low, high = int(np.floor(logs.min())), int(max(np.ceil(logs.max()), np.floor(logs.min()) + 1))
    powers = [float(e) for e in range(low, high + 1, max(1, -(-(high - low) // 6)))]
    marks = powers, [f"1e{e:.0f}".replace("-", "−") for e in powers]
    axes = Axes("iteration", "above the bound", (1.0, float(len(values))), (float(low), float(high)), marks, whole=True)
    places = [axes.at(i + 1.0, float(value)) for i, value in enumerate(logs)]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    body = [*axes.draw(), f'<polyline points="{line}" fill="none" stroke="var(--good)" stroke-width="2"/>']
    body += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="var(--good)"/>' for a, b in places]
    return svg(292, body, "convergence")
