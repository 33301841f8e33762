"""Pictures of a fit, drawn as SVG without any library."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy import ndarray


def _svg(width: int, height: int, body: list[str], label: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{"".join(body)}</svg>'


def _text(x: float, y: float, text: str, anchor: str = "start", style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">{escape(text)}</text>'


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def coefficients(model: Any, names: list[str], most: int = 16) -> str:
    """A bar for each of the largest coefficients, and for each class."""
    coef = np.atleast_2d(model.coef_)
    order = np.argsort(-np.abs(coef).max(0))[:most]
    top = max(float(np.abs(coef).max()), 1e-300)
    many, row = len(coef), 24
    body = [f'<line x1="330" x2="330" y1="4" y2="{len(order) * row}" stroke="var(--line)"/>']
    for place, j in enumerate(order):
        y0 = place * row + 4
        body.append(_text(172, y0 + 13, _short(names[j]), "end"))
        thick = 16 / many
        for k in range(many):
            length = 145 * abs(coef[k, j]) / top
            left = 330 - (length if coef[k, j] < 0 else 0)
            colour = "var(--bad)" if coef[k, j] < 0 else "var(--good)"
            who = f"{model.classes_[k]}: " if many > 1 and hasattr(model, "classes_") else ""
            body.append(
                f'<rect x="{left:.1f}" y="{y0 + k * thick:.1f}" width="{max(length, 0.5):.1f}" '
                f'height="{max(thick - 0.5, 1):.1f}" fill="{colour}">'
                f"<title>{escape(f'{names[j]}, {who}{coef[k, j]:.4g}')}</title></rect>"
            )
    body.append(_text(185, len(order) * row + 16, f"−{top:.3g}", "middle", "soft"))
    body.append(_text(330, len(order) * row + 16, "0", "middle", "soft"))
    body.append(_text(470, len(order) * row + 16, f"{top:.3g}", "middle", "soft"))
    return _svg(500, len(order) * row + 22, body, "coefficients")


def coefficient_table(model: Any, names: list[str], most: int = 16) -> str:
    """A row for each column of the data and a cell for each class, blue above zero and red below."""
    classes = model.classes_[:20]
    coef = np.atleast_2d(model.coef_)[: len(classes)]
    order = np.argsort(-np.abs(coef).max(0))[:most]
    top = max(float(np.abs(coef).max()), 1e-300)
    cell, row = 310 / len(classes), 24
    body = [
        _text(182 + cell * (k + 0.5), 14, _short(str(name), max(2, int(cell / 8))), "middle")
        for k, name in enumerate(classes)
    ]
    for place, j in enumerate(order):
        y0 = 22 + place * row
        body.append(_text(172, y0 + 16, _short(names[j]), "end"))
        for k, name in enumerate(classes):
            value = coef[k, j]
            body.append(
                f'<rect x="{182 + cell * k:.1f}" y="{y0}" width="{cell - 1:.1f}" height="{row - 1}" '
                f'fill="var(--{"bad" if value < 0 else "good"})" fill-opacity="{0.9 * abs(value) / top:.2f}">'
                f"<title>{escape(f'{names[j]}, {name}: {value:.4g}')}</title></rect>"
            )
    height = 22 + len(order) * row
    body.append(_text(492, height + 16, f"deepest blue {top:.3g}, deepest red −{top:.3g}", "end", "soft"))
    return _svg(500, height + 22, body, "coefficients")


def confusion(model: Any, X: Any, y: ndarray) -> str:
    """How many rows of each class were taken for each."""
    classes = model.classes_[:20]
    guess = model.predict(X)
    counts = np.array([[np.sum((y == a) & (guess == b)) for b in classes] for a in classes])
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    cell = min(60.0, 330 / len(classes))
    body = [
        _text(100 + cell * len(classes) / 2, 14, "predicted", "middle", "soft"),
        _text(4, 34, "true", "start", "soft"),
    ]
    for i, name in enumerate(classes):
        body.append(_text(92, 40 + cell * (i + 0.6), _short(str(name), 12), "end"))
        body.append(_text(100 + cell * (i + 0.5), 32, _short(str(name), max(2, int(cell / 8))), "middle"))
        for j in range(len(classes)):
            colour = "var(--good)" if i == j else "var(--bad)"
            place = f'x="{100 + cell * j:.1f}" y="{40 + cell * i:.1f}" width="{cell - 1:.1f}" height="{cell - 1:.1f}"'
            body.append(f'<rect {place} fill="{colour}" fill-opacity="{0.06 + 0.74 * share[i, j]:.2f}"/>')
            if cell > 18:
                body.append(_text(100 + cell * (j + 0.5), 44 + cell * (i + 0.5), str(counts[i, j]), "middle"))
    return _svg(500, int(56 + cell * len(classes)), body, "confusion matrix")


def _axes(x: str, y: str) -> list[str]:
    return [
        '<path d="M60 10V250H480" fill="none" stroke="var(--line)"/>',
        _text(270, 284, x, "middle", "soft"),
        f'<text x="14" y="130" transform="rotate(-90 14 130)" text-anchor="middle" class="soft">{escape(y)}</text>',
    ]


def reliability(model: Any, X: Any, y: ndarray, bins: int = 10) -> str:
    """How often predictions of some confidence are right, and the expected calibration error."""
    p = model.predict_proba(X)
    confidence, right = p.max(1), model.classes_[p.argmax(1)] == y
    low = 1 / p.shape[1]
    edges = np.linspace(low, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)
    body, error = _axes("predicted probability", "share that is right"), 0.0

    def at(a: float, b: float) -> tuple[float, float]:
        return 60 + 420 * (a - low) / (1 - low), 250 - 240 * b

    (x0, y0), (x1, y1) = at(low, low), at(1, 1)
    body.append(f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="var(--soft)" stroke-dasharray="4 4"/>')
    for b in range(bins):
        chosen = place == b
        if not chosen.any():
            continue
        mean, share, count = confidence[chosen].mean(), right[chosen].mean(), int(chosen.sum())
        error += count / len(y) * abs(mean - share)
        cx, cy = at(mean, share)
        size = 3 + 9 * np.sqrt(count / len(y))
        note = escape(f"{count} rows, predicted {mean:.3f}, right {share:.3f}")
        body.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{size:.1f}" fill="var(--good)" fill-opacity=".75">'
            f"<title>{note}</title></circle>"
        )
    for v in (0.0, 0.5, 1.0):
        body.append(_text(54, 254 - 240 * v, f"{v:g}", "end", "soft"))
    body += [_text(60, 266, f"{low:.2g}", "middle", "soft"), _text(480, 266, "1", "middle", "soft")]
    body.append(_text(474, 240, f"expected calibration error {error:.3f}", "end"))
    return _svg(500, 290, body, "reliability diagram")


def scatter(y: ndarray, guess: ndarray, most: int = 1500) -> str:
    """Targets over predictions of some rows."""
    step = max(1, len(y) // most)
    y, guess = np.asarray(y, float)[::step], guess[::step]
    low, high = min(y.min(), guess.min()), max(y.max(), guess.max())
    wide = max(high - low, 1e-300)
    body = [
        *_axes("prediction", "target"),
        '<line x1="60" y1="250" x2="480" y2="10" stroke="var(--soft)" stroke-dasharray="4 4"/>',
    ]
    for a, b in zip(guess, y):
        x, v = 60 + 420 * (a - low) / wide, 250 - 240 * (b - low) / wide
        body.append(f'<circle cx="{x:.1f}" cy="{v:.1f}" r="2.2" fill="var(--good)" fill-opacity=".45"/>')
    body += [_text(60, 266, f"{low:.3g}", "middle", "soft"), _text(480, 266, f"{high:.3g}", "middle", "soft")]
    body += [_text(54, 254, f"{low:.3g}", "end", "soft"), _text(54, 18, f"{high:.3g}", "end", "soft")]
    return _svg(500, 290, body, "targets and predictions")


def convergence(result: Any) -> str:
    """The objective above its proven lower bound at each iteration."""
    bound = result.objective - result.gap_bound
    values = np.array([record.objective for record in result.history])
    if len(values) < 2:
        said = "the start was the optimum" if len(values) == 0 else "one step was enough"
        return _svg(500, 60, [_text(10, 30, said)], "convergence")
    above = np.maximum(values - bound, 1e-17 * max(abs(bound), 1e-300))
    logs = np.log10(above)
    low, high = np.floor(logs.min()), max(np.ceil(logs.max()), np.floor(logs.min()) + 1)
    x = 60 + 420 * (np.arange(len(logs)) / max(len(logs) - 1, 1))
    v = 250 - 240 * (logs - low) / (high - low)
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, v))
    body = [*_axes("iteration", "objective above the bound")]
    step = max(1, int(np.ceil((high - low) / 6)))
    for e in range(int(low), int(high) + 1, step):
        body.append(_text(54, 254 - 240 * (e - low) / (high - low), f"1e{e}", "end", "soft"))
    body.append(f'<polyline points="{line}" fill="none" stroke="var(--good)" stroke-width="2"/>')
    body += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="var(--good)"/>' for a, b in zip(x, v)]
    body += [_text(60, 266, "1", "middle", "soft"), _text(480, 266, str(len(values)), "middle", "soft")]
    return _svg(500, 290, body, "convergence")
