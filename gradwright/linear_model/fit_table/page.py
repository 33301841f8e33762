"""Page: a fit as one self-contained HTML file with pictures drawn here."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import is_classifier

from gradwright.linear_model.estimators.regressor import DevianceRegressor
from gradwright.linear_model.fit_table import pictures

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5f6e7f; --line: #d9e0e7; --good: #2a78b8; --bad: #c8553d;
  --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf0; --soft: #93a2b2; --line: #36424f; --good: #6cb2ea; --bad: #ef8a75; --paper: #161c23 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1040px;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin-bottom: .2rem }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p.sub { color: var(--soft); margin-top: 0 }
li { margin: .4rem 0 }
pre { white-space: pre-wrap }
figure { margin: 0 }
figcaption { color: var(--soft); font-size: .9rem; margin-bottom: .4rem }
svg { width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
svg .soft { fill: var(--soft) }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 1.5rem }
.cards { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0 }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .6rem 1rem }
.card b { display: block; font-size: 1.25rem }
.card span { color: var(--soft); font-size: .85rem }
"""
MOST_BARS = 3
"""Classes up to which coefficients are drawn as bars; from there on as a table of colours."""


def page(
    file: str, target: str, loss: str, model: Any, names: list[str], X: Any, y: ndarray, score: float, diagnosis: Any
) -> str:
    """The HTML of one fit; X and y are the held-out rows."""
    classes = is_classifier(model)
    result = model.result_
    many = len(np.atleast_2d(model.coef_))
    order = f"; bars from top: {', '.join(map(str, model.classes_))}" if 1 < many <= MOST_BARS else ""
    to = f", towards {model.classes_[1]}" if classes and many == 1 else ""
    about = f"Coefficients{to}, the largest: the effect of one standard deviation of a column{order}"
    draw = pictures.coefficients if many <= MOST_BARS else pictures.coefficient_table
    drawn = [(about, draw(model, names))]
    if classes:
        drawn.append(("Confusion matrix of held-out rows", pictures.confusion(model, X, y)))
        if hasattr(model, "predict_proba"):
            drawn.append(("Reliability: how often the predicted class is right", pictures.reliability(model, X, y)))
    else:
        drawn.append(("Held-out targets and predictions", pictures.scatter(y, model.predict(X))))
    drawn.append(("Convergence: objective above its proven lower bound", pictures.convergence(result)))
    cards = [
        (f"{score:.4f}", f"held-out {'accuracy' if classes else _score_name(model)}"),
        (str(result.status), "status"),
        (f"{result.relative_gap_bound:.1g}", "relative gap, at most"),
        (f"{result.evaluations}", "passes over the data"),
        (f"{result.seconds:.2g} s", "time"),
    ]
    shown = "".join(f'<div class="card"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in cards)
    figures = "".join(f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>" for title, svg in drawn)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(target)}, {escape(loss)} loss</title><style>{STYLE}</style>
<h1>{escape(target)} from {escape(file)}</h1>
<p class="sub">{escape(type(model).__name__)}, {escape(loss)} loss, {len(names)} columns</p>
<div class="cards">{shown}</div>
<h2>What limits the score</h2>
<ul>{"".join(f"<li>{escape(sentence)}</li>" for _, sentence in diagnosis.findings)}</ul>
<h2>Pictures</h2><div class="grid">{figures}</div>
<h2>Certificate</h2><pre>{escape(str(result))}</pre>
</html>
"""


def _score_name(model: Any) -> str:
    """What ``score`` of a regressor answers."""
    if not isinstance(model, DevianceRegressor) or model._loss().name == "squared":
        return "R²"
    return "D², the explained part of the loss"
