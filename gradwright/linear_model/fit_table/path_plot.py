"""Path: how the largest coefficients change with the strength of the penalty."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.fit_table.drawing import BOTTOM, TOP, Axes, apart, svg, text
from gradwright.linear_model.fit_table.text import shown

DECADES = np.arange(-4.0, 3.0)
"""Powers of ten of C, beside that of the page; beyond it coefficients may grow without end."""
LINES = 6
"""Coefficients that are drawn."""
MOST = 2e9
"""Multiplications of all passes up to which the path is drawn: a second or two."""


def path(make: Callable[[float], Any], model: Any, C: float, X: Any, y: ndarray, names: list[str]) -> str:
    """A line for each of the largest coefficients of a fit, over C; empty where that is many passes over many numbers.

    Args:
        make: a model for a C.
        model: that of the page, whose largest coefficients are shown.
        C: its own.
        X, y: the rows to fit.
        names: of the columns.
    """
    own = np.atleast_2d(model.coef_)
    if len(y) * own.size * max(model.result_.evaluations, 1) * len(DECADES) > MOST:
        return ""
    places = [np.unravel_index(k, own.shape) for k in np.argsort(-np.abs(own), axis=None, kind="stable")[:LINES]]
    strengths = [strength for strength in C * 10.0**DECADES if 1e-100 < strength < 1e100]
    lines = np.array([[_fitted(make(float(strength)), X, y)[k] for k in places] for strength in strengths])
    drawn = np.isfinite(lines).all(1)
    logs, lines = np.log10(strengths)[drawn], lines[drawn]
    if len(logs) < 2:
        return ""
    low, high = float(min(lines.min(), 0.0)), float(max(lines.max(), 0.0))
    axes = Axes("log₁₀ C", "coefficient", (float(logs[0]), float(logs[-1])), (low, high or 1.0))
    x, _ = axes.at(float(np.log10(C)), low)
    body = [*axes.draw(), f'<path d="M{x:.1f} {TOP}V{BOTTOM}" stroke="var(--soft)" stroke-dasharray="4 4"/>']
    body.append(text(x, TOP - 4, "this fit", "middle", "soft"))
    said = [names[j] + (f", {shown(model.classes_[k])}" if len(own) > 1 else "") for k, j in places]
    for row, (name, words) in enumerate(zip(said, apart(said, 380))):
        fade = 0.95 - 0.7 * row / len(said)
        colour = "var(--good)" if own[places[row]] >= 0 else "var(--bad)"
        points = " ".join("{:.1f},{:.1f}".format(*axes.at(a, b)) for a, b in zip(logs, lines[:, row]))
        pen = f'stroke="{colour}" stroke-width="2" stroke-opacity="{fade:.2f}"'
        body.append(f'<polyline points="{points}" fill="none" {pen}><title>{escape(name)}</title></polyline>')
        below = BOTTOM + 62 + 18 * row
        body.append(f'<line x1="14" x2="34" y1="{below - 4}" y2="{below - 4}" {pen}/>')
        body.append(text(42, below, name, words=words))
    return svg(BOTTOM + 68 + 18 * len(said), body, "coefficients over the strength of the penalty")


def _fitted(model: Any, X: Any, y: ndarray) -> ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.atleast_2d(model.set_params(tol=1e-4).fit(X, y).coef_)
