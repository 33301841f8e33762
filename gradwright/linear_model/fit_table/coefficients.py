"""Coefficients: the largest of a fit, as bars for a few classes and as a table of colours for many."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from gradwright.linear_model.fit_table.drawing import WIDTH, apart, plain, svg, text, width
from gradwright.linear_model.fit_table.pictures import MOST_CLASSES
from gradwright.linear_model.fit_table.text import shown

MOST_BARS = 3
"""Classes up to which coefficients are drawn as bars; from there on as a table of colours."""
ROW = 24
NAMES = 160.0
"""Room for the names of columns."""


def coefficients(model: Any, names: list[str], most: int = 16) -> str:
    """The picture that suits the number of classes."""
    return (_bars if len(np.atleast_2d(model.coef_)) <= MOST_BARS else _colours)(model, names, most)


def _order(coef: np.ndarray, most: int) -> np.ndarray:
    return np.argsort(-np.abs(coef).max(0), kind="stable")[:most]


def _bars(model: Any, names: list[str], most: int) -> str:
    """A bar for each of the largest coefficients, and for each class."""
    coef = np.atleast_2d(model.coef_)
    order = _order(coef, most)
    top = max(float(np.abs(coef).max()), 1e-300)
    beside = apart([names[j] for j in order], NAMES - 8)
    many, end = len(coef), plain(top, 3)
    half = 0.5 * (WIDTH - NAMES - 2 * max(0.5 * width(end) + 2, 12))
    zero = NAMES + 0.5 * (WIDTH - NAMES)
    body = [f'<line x1="{zero}" x2="{zero}" y1="4" y2="{len(order) * ROW}" stroke="var(--line)"/>']
    for place, j in enumerate(order):
        y0 = place * ROW + 4
        body.append(text(NAMES - 4, y0 + 13, names[j], "end", words=beside[place]))
        thick = 16 / many
        for k in range(many):
            length = half * abs(coef[k, j]) / top
            left = zero - (length if coef[k, j] < 0 else 0)
            colour = "var(--bad)" if coef[k, j] < 0 else "var(--good)"
            who = f"{shown(model.classes_[k])}: " if many > 1 and hasattr(model, "classes_") else ""
            body.append(
                f'<rect x="{left:.1f}" y="{y0 + k * thick:.1f}" width="{max(length, 0.5):.1f}" '
                f'height="{max(thick - 0.5, 1):.1f}" fill="{colour}">'
                f"<title>{escape(f'{names[j]}, {who}{coef[k, j]:.4g}')}</title></rect>"
            )
    below = len(order) * ROW + 16
    for x, label in ((zero - half, f"−{end}"), (zero, "0"), (zero + half, end)):
        body.append(text(x, below, label, "middle", "soft"))
    return svg(below + 8 + _left_out(body, names, order, below), body, "coefficients")


def _colours(model: Any, names: list[str], most: int) -> str:
    """A row for each column of the data and a cell for each class, blue above zero and red below."""
    classes = model.classes_[:MOST_CLASSES]
    coef = np.atleast_2d(model.coef_)[: len(classes)]
    order = _order(coef, most)
    top = max(float(np.abs(coef).max()), 1e-300)
    cell = (WIDTH - NAMES - 4) / len(classes)
    upright = cell < 40
    head = 64.0 if upright else 22.0
    beside, above = apart([names[j] for j in order], NAMES - 10), apart(classes, head - 8 if upright else cell - 2)
    body = []
    for k, name in enumerate(classes):
        x = NAMES + cell * (k + 0.5)
        if upright:
            words = text(0, 0, name, "start", words=above[k])
            body.append(f'<g transform="translate({x + 4:.1f} {head - 5:.0f}) rotate(-90)">{words}</g>')
        else:
            body.append(text(x, 14, name, "middle", words=above[k]))
    for place, j in enumerate(order):
        y0 = head + place * ROW
        body.append(text(NAMES - 6, y0 + 16, names[j], "end", words=beside[place]))
        for k, name in enumerate(classes):
            value = coef[k, j]
            body.append(
                f'<rect x="{NAMES + cell * k:.1f}" y="{y0:.0f}" width="{cell - 1:.1f}" height="{ROW - 1}" '
                f'fill="var(--{"bad" if value < 0 else "good"})" fill-opacity="{0.9 * abs(value) / top:.2f}">'
                f"<title>{escape(f'{names[j]}, {shown(name)}: {value:.4g}')}</title></rect>"
            )
    below = head + len(order) * ROW + 16
    body.append(text(WIDTH - 4, below, f"deepest blue {plain(top, 3)}, deepest red −{plain(top, 3)}", "end", "soft"))
    if len(model.classes_) > len(classes):
        below += 18
        body.append(text(WIDTH - 4, below, f"the first {len(classes)} of {len(model.classes_)} classes", "end", "soft"))
    return svg(below + 8 + _left_out(body, names, order, below), body, "coefficients")


def _left_out(body: list[str], names: list[str], order: np.ndarray, below: float) -> float:
    """A line on columns that are not shown, and its height."""
    if len(order) == len(names):
        return 0.0
    body.append(text(4, below + 18, f"the largest {len(order)} of {len(names)}", "start", "soft"))
    return 18.0
