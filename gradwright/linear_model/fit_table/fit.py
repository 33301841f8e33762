"""Fit: from a CSV or Parquet file to a fitted model, its certificate, a diagnosis, a saved model and a page."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

from gradwright.linear_model.diagnosis import Diagnosis, diagnose
from gradwright.linear_model.fit_table import path_plot, progress, save, table, write
from gradwright.linear_model.fit_table.held_out import HeldOut, held_out
from gradwright.linear_model.fit_table.missing import WAYS
from gradwright.linear_model.fit_table.models import CLASSES, MODELS
from gradwright.linear_model.fit_table.page import About, page
from gradwright.linear_model.fit_table.scale import scaler
from gradwright.linear_model.fit_table.target import prepared, refuse_sizes, split, suited_loss, unseen
from gradwright.linear_model.fit_table.text import quoted

PAGE = "index.html"


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves: the model, its held-out score, the diagnosis, and where the model and the page were saved."""

    model: Any
    score: float
    diagnosis: Diagnosis
    saved: Path
    page: Path


def fit_table(
    path: str | Path,
    target: str,
    loss: str | None = None,
    test_size: float = 0.25,
    C: float = 1.0,
    out: str | Path = "fit",
    seed: int = 0,
    say: Callable[[str], None] = print,
    missing: str = "error",
    drop: Sequence[str] = (),
    quiet: bool = False,
) -> Fitted:
    """Fit a linear model to a table, and say how good it is and why.

    The model and the page are written both or not at all: what an earlier fit left stays until this one is done.

    Args:
        path: CSV file, plain or packed with gzip, bzip2, xz or zstd, or Parquet file.
        target: name of the column to predict.
        loss: a name of ``MODELS``; None chooses softmax for text or few whole numbers, else squared.
        test_size: part of the rows held out, between 0 and 1. Default 0.25.
        C: inverse strength of the L2 penalty, above 0. Default 1.
        out: folder for the model and index.html.
        seed: of the split, from 0 to 2³² − 1.
        say: called with each line of progress.
        missing: what becomes of missing values: "error" refuses them, "drop" leaves out their rows, "impute" takes the
            median of the rows to fit for a number, with a column beside that says so, and a category of its own for a
            text. Rows without a target are left out by both. Default "error".
        drop: names of columns to leave out.
        quiet: say only the held-out score and where the files are. Default False.

    Raises:
        ValueError: the file, target, loss or a column is unfit, or nothing can be written to ``out``; with the line of
            the file and the way out.
    """
    _check(loss, test_size, C, seed, missing)
    tell, say = say, _nothing if quiet else say
    folder, model_file = Path(out), save.name()
    write.check(folder, [model_file, PAGE])
    data = table.read(path, target, missing, drop)
    if loss is None:
        loss = suited_loss(data.y)
        say(f"loss {loss}, chosen by the values of {quoted(target)}; --loss overrules it")
    y = prepared(data, target, loss)
    refuse_sizes(np.nan_to_num(data.X), data.names, data)
    train, test = split(data, y, target, loss, test_size, seed)
    say(f"{len(train)} rows to fit, {len(test)} held out, {len(data.names)} column{'s' * (len(data.names) != 1)}")
    notes = [*data.notes, *filter(None, [unseen(y, train, test) if loss in CLASSES else ""])]
    for name, categories in data.encoded.items():
        base = quoted(categories[0])
        if len(categories) == 1:
            notes.append(f"column {quoted(name)} holds {base} in every row, tells nothing and is left out")
            continue
        notes.append(f"column {quoted(name)}: {len(categories)} categories, one column each but {base}")
    for note in notes:
        say(note)
    # coefficients are of scaled columns
    encoder = data.encoder.learn(data.columns, train)
    rows = table.require_pandas().DataFrame(encoder.encode(data.columns)[0], columns=data.names, copy=False)
    scale = scaler(rows.iloc[train]).set_output(transform="pandas")
    fit_X, test_X = scale.transform(rows.iloc[train]), scale.transform(rows.iloc[test])
    # a diagnosis names rows by the index
    fit_X.index, test_X.index = [data.where(row) for row in train], [data.where(row) for row in test]
    model = MODELS[loss](C, y[train])
    with progress.shown(say, quiet=quiet) as model.callback, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(fit_X, y[train])
    model.callback = None
    say(str(model.result_))
    score = held_out(model, test_X, y[test], y[train])
    tell(str(score))
    diagnosis = diagnose(model, fit_X, y[train], held_out=(test_X, y[test]))
    say(comparison(score))
    say(str(diagnosis))
    whole = make_pipeline(encoder, scale, model).set_output(transform="pandas")
    about = About(
        Path(path).name, target, loss, data.names, notes, len(train), test_size, C, seed, model_file, data.call
    )
    drawn = path_plot.path(lambda C: MODELS[loss](C, y[train]), model, C, fit_X, y[train], data.names)
    html = page(about, model, test_X, y[test], score, comparison(score), diagnosis, drawn)
    saved, written = write.write(
        folder,
        {model_file: lambda place: save.save(whole, place), PAGE: lambda place: _text(place, html)},
    )
    tell(f"model: {saved}, {save.about()}")
    tell(f"page: {written}")
    return Fitted(whole, score.score, diagnosis, saved, written)


def comparison(score: HeldOut) -> str:
    """What the figures of a diagnosis are, beside the held-out score."""
    other = "" if score.what.startswith(("accuracy", "R²")) else ", by R²"
    return f"What limits the score. Figures below compare models on the held-out rows{other}:"


def _nothing(line: str) -> None:
    """Say it to nobody."""


def _text(place: Path, html: str) -> None:
    place.write_text(html, encoding="utf-8")


def _check(loss: str | None, test_size: float, C: float, seed: int, missing: str) -> None:
    if missing not in WAYS:
        raise ValueError(f"missing must be one of {', '.join(WAYS)}, not {missing!r}")
    if loss is not None and loss not in MODELS:
        raise ValueError(f"loss must be one of {', '.join(MODELS)}, not {loss!r}")
    if not (isinstance(test_size, Real) and 0 < test_size < 1):
        raise ValueError(f"test_size must be between 0 and 1, not {test_size!r}")
    # both C and its inverse go into objectives
    if not (isinstance(C, Real) and 1e-100 <= C <= 1e100):
        raise ValueError(f"C must be above 0 and between 1e-100 and 1e100, not {C!r}; 1e6 is nearly no penalty")
    if not (isinstance(seed, Integral) and 0 <= seed < 2**32):
        raise ValueError(f"seed must be a whole number from 0 to {2**32 - 1}, not {seed!r}")
