"""Fit: from a CSV or Parquet file to a fitted model, its certificate, a diagnosis, a saved model and a page."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gradwright.linear_model.diagnosis import Diagnosis, diagnose
from gradwright.linear_model.estimators import (
    GeneralizedLinearModel,
    HuberRegressor,
    LeastAbsoluteDeviations,
    LinearSVC,
    LinearSVR,
    LogisticRegression,
    Ridge,
)
from gradwright.linear_model.fit_table import progress, table
from gradwright.linear_model.fit_table.page import page
from gradwright.linear_model.fit_table.target import as_classes, as_numbers, split, suited_loss

MODELS: dict[str, Callable[[float], Any]] = {
    "softmax": lambda C: LogisticRegression(C=C),
    "hinge": lambda C: LinearSVC(C=C, loss="hinge"),
    "squared_hinge": lambda C: LinearSVC(C=C),
    "squared": lambda C: Ridge(alpha=1 / C),
    "poisson": lambda C: GeneralizedLinearModel("poisson", alpha=1e-3 / C),
    "gamma": lambda C: GeneralizedLinearModel("gamma", alpha=1e-3 / C),
    "huber": lambda C: HuberRegressor(alpha=1e-4 / C),
    "absolute": lambda C: LeastAbsoluteDeviations(),
    "epsilon_insensitive": lambda C: LinearSVR(C=C),
}
"""Losses by name, and their model for an inverse strength C of the penalty."""

CLASSES = ("softmax", "hinge", "squared_hinge")


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
) -> Fitted:
    """Fit a linear model to a table, and say how good it is and why.

    Args:
        path: CSV or Parquet file.
        target: name of the column to predict.
        loss: a name of ``MODELS``; None chooses softmax for text or few whole numbers, else squared.
        test_size: part of the rows held out, between 0 and 1. Default 0.25.
        C: inverse strength of the L2 penalty, above 0. Default 1.
        out: folder for the model and index.html.
        seed: of the split.
        say: called with each line of progress.

    Raises:
        ValueError: the file, target, loss or a column is unfit, or nothing can be written to ``out``; with the way out.
    """
    if loss is not None and loss not in MODELS:
        raise ValueError(f"loss must be one of {', '.join(MODELS)}, not {loss!r}")
    if not 0 < test_size < 1:
        raise ValueError(f"test_size must be between 0 and 1, not {test_size!r}")
    if not C > 0:
        raise ValueError(f"C must be above 0, not {C!r}")
    data = table.read(path, target)
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").touch()
    except OSError as why:
        raise ValueError(f"nothing can be written to --out {str(folder)!r}: {why.strerror}") from None
    if loss is None:
        loss = suited_loss(data.y)
        say(f"loss {loss}, chosen by the values of {target!r}; --loss overrules it")
    classes = loss in CLASSES
    y = as_classes(data.y, target) if classes else as_numbers(data.y, target, loss)
    train, test = split(y, classes, test_size, seed)
    say(f"{len(train)} rows to fit, {len(test)} held out, {len(data.names)} columns")
    for name, categories in data.encoded.items():
        say(f"column {name!r}: {len(categories)} categories, one column each but {categories[0]!r}")
    # columns of unlike spread are brought to one, so that one penalty fits all; coefficients are of scaled columns
    scaler = StandardScaler()
    pandas = table.require_pandas()
    # the index names rows as the file does, counted from 0 below the header
    fit_X = pandas.DataFrame(scaler.fit_transform(data.X[train]), columns=data.names, index=train)
    test_X = pandas.DataFrame(scaler.transform(data.X[test]), columns=data.names)
    model = MODELS[loss](C)
    with progress.shown(say) as model.callback, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(fit_X, y[train])
    model.callback = None
    say(str(model.result_))
    score = float(model.score(test_X, y[test]))
    say(f"held-out {'accuracy' if classes else 'score'} {score:.4f}")
    diagnosis = diagnose(model, fit_X, y[train])
    say(str(diagnosis))
    pipeline = make_pipeline(scaler, model)
    saved = _save(pipeline, folder, say)
    html = folder / "index.html"
    html.write_text(
        page(Path(path).name, target, loss, model, data.names, test_X, y[test], score, diagnosis), encoding="utf-8"
    )
    say(f"page: {html}")
    return Fitted(pipeline, score, diagnosis, saved, html)


def _save(model: Any, folder: Path, say: Callable[[str], None]) -> Path:
    """With skops where it is installed (loading it runs no code), else with joblib."""
    try:
        import skops.io
    except ModuleNotFoundError:
        import joblib

        path = folder / "model.joblib"
        joblib.dump(model, path)
        say(
            f"model: {path}, saved with joblib; load only files you trust (pip install skops for a format that runs "
            f"no code)"
        )
        return path
    path = folder / "model.skops"
    skops.io.dump(model, path)
    say(f"model: {path}, saved with skops")
    return path
