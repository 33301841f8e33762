"""Page: a fit as one self-contained HTML file with pictures drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import is_classifier

from gradwright.linear_model.fit_table import curves, pictures, save
from gradwright.linear_model.fit_table.coefficients import MOST_BARS, coefficients
from gradwright.linear_model.fit_table.held_out import HeldOut, figure
from gradwright.linear_model.fit_table.text import shown

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5f6e7f; --line: #d9e0e7; --good: #2a78b8; --bad: #c8553d;
  --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf0; --soft: #93a2b2; --line: #36424f; --good: #6cb2ea; --bad: #ef8a75; --paper: #161c23 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1040px;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin-bottom: .2rem; line-height: 1.25 }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p.sub { color: var(--soft); margin: .3rem 0 }
ul { padding-left: 1.2rem; margin: .5rem 0 }
li { margin: .4rem 0 }
pre { white-space: pre-wrap; border: 1px solid var(--line); border-radius: 8px; padding: .6rem 1rem; font-size: .9rem }
figure { margin: 0; min-width: 0 }
figcaption { color: var(--soft); font-size: .9rem; margin-bottom: .4rem }
svg { width: 100%; height: auto; max-width: 520px }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
svg .soft { fill: var(--soft) }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 1.5rem }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem; margin: 1rem 0 }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .6rem 1rem }
.card b { display: block; font-size: 1.25rem }
.card span { color: var(--soft); font-size: .85rem; line-height: 1.3; display: block }
"""


@dataclass(frozen=True)
class About:
    """What was fitted and how: the file, its settings, how columns were read, and a call that reads more."""

    file: str
    target: str
    loss: str
    names: list[str]
    notes: list[str]
    rows: int
    test_size: float
    C: float
    seed: int
    model_file: str
    call: str


def page(
    about: About, model: Any, X: Any, y: ndarray, score: HeldOut, compared: str, diagnosis: Any, path: str = ""
) -> str:
    """The HTML of one fit.

    Args:
        about: what was fitted and how.
        model: the fit.
        X, y: the held-out rows.
        score: of them.
        compared: what the figures of the diagnosis are.
        diagnosis: what limits the score.
        path: the picture of coefficients over C, empty for none.
    """
    result = model.result_
    cards = [
        (figure(score.score), f"held-out {score.what}"),
        score.compared,
        (f"{about.rows} + {score.rows}", "rows to fit + rows held out"),
        (
            str(result.status),
            f"objective proven to be within {result.relative_gap_bound:.1g} (relative) of the optimum",
        ),
        (f"{result.seconds:.2g} s", f"time of the solver, {result.evaluations} passes over the data"),
    ]
    shown_cards = "".join(f'<div class="card"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in cards)
    figures = "".join(
        f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>"
        for title, svg in _drawn(about, model, X, y, path)
    )
    plural = "s" * (len(about.names) != 1)
    settings = (
        f"{type(model).__name__}, {about.loss} loss, {len(about.names)} column{plural}, C {about.C:g}, test size "
        f"{about.test_size:g}, seed {about.seed}"
    )
    target, file = escape(shown(about.target, 200)), escape(shown(about.file, 200))
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{target}, {escape(about.loss)} loss</title><style>{STYLE}</style>
<h1>{target} from {file}</h1>
<p class="sub">{escape(settings)}</p>
<div class="cards">{shown_cards}</div>
{f'<p class="sub">{escape(str(score))}</p>' if np.isnan(score.score) else ""}
{_listed("How the columns were read", about.notes)}
<h2>What limits the score</h2>
<p class="sub">{escape(compared.removeprefix("What limits the score. "))}</p>
<ul>{"".join(f"<li>{escape(sentence)}</li>" for _, sentence in diagnosis.findings)}</ul>
<h2>Pictures</h2><div class="grid">{figures}</div>
<h2>Use the model</h2>
<p class="sub">In this folder: on the command line, or in Python. It takes the columns of {file}, and leaves others, the
target too. A category that the fit did not have, or a missing value, counts as its average row.</p>
<p class="sub">It was {escape(save.about())}.</p>
<pre>{escape(_snippet(about))}</pre>
<h2>Certificate</h2><pre>{escape(str(result))}</pre>
</html>
"""


def _snippet(about: About) -> str:
    """Commands and code that predict new rows."""
    read = about.call.removeprefix("pandas.").split("(")[0]
    file = "new.parquet" if read == "read_parquet" else "new.csv"
    return (
        f"gradwright predict {about.model_file} {file} --out predictions.csv\n\n"
        "import pandas\nfrom gradwright.linear_model.fit_table import load_model\n\n"
        f"model = load_model({about.model_file!r})\nprint(model.predict({about.call}))"
    )


def _drawn(about: About, model: Any, X: Any, y: ndarray, path: str) -> list[tuple[str, str]]:
    """Captions and pictures."""
    classes = is_classifier(model)
    many = len(np.atleast_2d(model.coef_))
    named = [shown(label) for label in model.classes_] if classes else []
    order = f"; bars from top: {', '.join(named)}" if 1 < many <= MOST_BARS else ""
    towards = f", towards {named[1]} (away from {named[0]})" if classes and many == 1 else ""
    drawn = [
        (
            f"The largest coefficients: the effect of one standard deviation of a column{towards}{order}",
            coefficients(model, about.names),
        )
    ]
    if classes:
        drawn.append(
            (
                "Confusion matrix: how many held-out rows of each class were taken for each",
                pictures.confusion(model, X, y),
            )
        )
        drawn.append(("ROC: right positives over wrong ones, at every threshold", curves.roc(model, X, y)))
        about_line = (
            "Precision over recall: of rows taken for a class how many are, of rows that are how many are taken"
        )
        drawn.append((about_line, curves.precision_recall(model, X, y)))
        if hasattr(model, "predict_proba"):
            about_dots = "Reliability: of predictions this sure, how many are right; dots on the dashed line are honest"
            drawn.append((about_dots, pictures.reliability(model, X, y)))
    else:
        drawn.append(
            (
                "Held-out rows: targets over predictions; on the dashed line both agree",
                pictures.scatter(y, model.predict(X)),
            )
        )
        drawn.append(
            (
                "Residuals of held-out rows over predictions: a shape in them is what the model has not learnt",
                curves.residuals(y, model.predict(X)),
            )
        )
    if path:
        drawn.append(("The largest coefficients over C: to the left a stronger penalty", path))
    drawn.append(("Convergence: the objective above its proven lower bound", pictures.convergence(model.result_)))
    return drawn


def _listed(title: str, notes: list[str]) -> str:
    if not notes:
        return ""
    return f"<h2>{escape(title)}</h2><ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"
