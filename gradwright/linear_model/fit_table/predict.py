"""Predict: the rows of a file by a saved model, into a CSV file beside what the model is sure of."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import is_classifier

from gradwright.core import files
from gradwright.linear_model.fit_table import table
from gradwright.linear_model.fit_table.encoder import Encoder
from gradwright.linear_model.fit_table.save import load_model
from gradwright.linear_model.fit_table.text import quoted


@dataclass(frozen=True)
class Predicted:
    """What a prediction leaves.

    Attributes:
        values: shape (n,), in the order of the rows of the file.
        probabilities: (n, K), or None where the model has none.
        saved: where they were written.
    """

    values: ndarray
    probabilities: ndarray | None
    saved: Path


def predict_table(
    model: str | Path,
    path: str | Path,
    out: str | Path = "predictions.csv",
    say: Callable[[str], None] = print,
) -> Predicted:
    """Predict the rows of a table by a model that ``fit_table`` saved.

    The file needs the columns of the fit, in any order; others, the target too, are left. Values are read as they were
    for the fit; what it did not have (a category, a missing value) counts as its average row, and that is said.

    Args:
        model: the .skops or .joblib file.
        path: CSV or Parquet file of new rows.
        out: the CSV file to write, whole or not at all: the target's name, then the probabilities of classes.
        say: called with each line of what there is to know.

    Raises:
        ValueError: a file cannot be read, lacks a column or holds what the model cannot take, or ``out`` cannot be
            written; with the line and the way out.
    """
    fitted = load_model(model, warn=lambda line: say(f"warning: {line}"))
    _check(out, (model, path))
    encoder: Encoder = fitted.steps[0][1]
    columns, names, _ = table.new_columns(path, encoder)
    if encoder.target in names:
        say(f"column {quoted(encoder.target)} is what the model predicts, and is not looked at")
    X, notes = encoder.encode(columns)
    for note in notes:
        say(note)
    rows = table.require_pandas().DataFrame(X, columns=encoder.names)
    if not len(rows):
        raise ValueError(f"{Path(path).name} has a header and no rows")
    values = fitted[1:].predict(rows)
    shares = fitted[1:].predict_proba(rows) if hasattr(fitted[-1], "predict_proba") else None
    text = _text(encoder.target, values, shares, fitted[-1])
    try:
        files.write(out, text)
    except OSError as why:
        raise ValueError(f"nothing can be written to --out {quoted(out, 200)}: {why.strerror or why}") from None
    say(f"{len(values)} prediction{'s' * (len(values) != 1)}, in the order of the rows: {out}")
    return Predicted(values, shares, Path(out))


def _check(out: str | Path, read: tuple[str | Path, ...]) -> None:
    """Refuse to write over what is read."""
    for each in read:
        if os.path.exists(out) and os.path.exists(each) and os.path.samefile(out, each):
            raise ValueError(f"--out {quoted(out, 200)} is a file to read, and would be lost; give another")


def _text(target: str, values: ndarray, shares: ndarray | None, model: Any) -> str:
    """The lines of the CSV file."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    more = [f"probability of {label}" for label in model.classes_] if shares is not None else []
    writer.writerow([target, *more])
    plain = values.tolist() if is_classifier(model) else np.asarray(values, np.float64).tolist()
    for row, value in enumerate(plain):
        writer.writerow([value, *(f"{share:.6g}" for share in (shares[row] if shares is not None else ()))])
    return stream.getvalue()
