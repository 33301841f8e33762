"""Alternatives: what an intercept, products of columns, another loss or another kind of model would bring."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import clone, is_classifier
from sklearn.model_selection import train_test_split

from gradwright.linear_model.diagnosis.findings import Diagnosis
from gradwright.linear_model.diagnosis.split import Split, figure
from gradwright.linear_model.estimators import GeneralizedLinearModel, LinearSVC, LogisticRegression, PoissonRegressor

PRODUCTS = 1e7
"""Entries of all products of two columns up to which they are tried."""
MOST_COLUMNS = 500
"""Columns up to which boosted trees are tried."""

SURE_FROM = 200
"""Rows from which the confidence of boosted trees says something about a single label."""


def compare(
    out: Diagnosis,
    model: Any,
    X: ndarray,
    y: ndarray,
    weights: ndarray | None,
    offset: ndarray | None,
    names: list[str],
    index: ndarray,
    held: tuple[ndarray, ndarray, ndarray, ndarray] | None = None,
) -> None:
    """Fit variants of a model to two thirds of the rows and add to the diagnosis what they would bring.

    With ``held``, rows X, y, their names and what the model predicts, they are fitted to all rows and scored on those,
    and so is the model.
    """
    classes = is_classifier(model)
    if weights is not None:
        place = np.flatnonzero(weights > 0)
        index = index[place]
        X, y, weights, offset = X[place], y[place], weights[place], None if offset is None else offset[place]
    kinds, counts = np.unique(y, return_counts=True) if classes else (None, np.array([len(y)]))
    if len(y) < 60 or counts.min() < 6:
        few = f"{len(y)} rows" if len(y) < 60 else f"{counts.min()} rows of class {kinds[counts.argmin()]}"
        out.add("tried", f"{few} are too few to hold some out and compare other models.")
        return
    y = y if classes else y.astype(np.float64)
    if held is None:
        stratify = y if classes else None
        train, test = train_test_split(np.arange(len(y)), test_size=1 / 3, random_state=0, stratify=stratify)
    else:
        if weights is not None or offset is not None:
            raise ValueError("held_out goes with neither sample_weight nor offset; leave it out, or them")
        train, test = np.arange(len(y)), len(y) + np.arange(len(held[1]))
        X, y, index = np.vstack([X, held[0]]), np.concatenate([y, held[1]]), np.concatenate([index, held[2]])
    rows = Split(X, y, weights, offset, train, test, classes)
    if not classes and not (rows.spread > 0 and np.ptp(y[train]) > 0):
        where = "set aside" if np.ptp(y[train]) > 0 else "left to fit"
        out.add("tried", f"The targets of rows {where} are all alike, so that other models cannot be compared.")
        return
    plain = bare(model)
    guess = rows.predict(rows.fit(clone(plain))) if held is None else held[3]
    base = out.scores["this model"] = rows.score(guess)
    if not model.fit_intercept:
        changed = clone(plain).set_params(fit_intercept=True)
        answer = rows.predict(rows.fit(changed))
        new = out.scores["with an intercept"] = rows.score(answer)
        verdict = "worth having" if rows.better(answer, guess) else "not what is missing"
        out.add("intercept", f"An intercept would take {rows.what} from {figure(base)} to {figure(new)}: {verdict}.")
    _products(out, plain, rows, base, guess, names)
    _losses(out, plain, rows, base, guess)
    if offset is None and X.shape[1] <= MOST_COLUMNS:
        _trees(out, rows, base, guess, index)
    tried = ", ".join(f"{name} {figure(score)}" for name, score in out.scores.items())
    where = "Fitted to two thirds of these rows, {} on the rest" if held is None else "{} on the held-out rows"
    where = where.format(rows.what)
    out.add("tried", f"{where[0].upper()}{where[1:]}: {tried}.")


def bare(model: Any) -> Any:
    """A copy for comparisons: not fitted, silent, in this process, and of a tolerance that scores do not see."""
    if hasattr(model, "C_"):
        kept = {name: getattr(model, name) for name in LogisticRegression().get_params() if hasattr(model, name)}
        model = LogisticRegression(**{**kept, "C": model.C_, "l1_ratio": model.l1_ratio_})
    silent = {"callback": None, "distributed": False, "warm_start": False, "tol": max(model.tol, 1e-4)}
    return clone(model).set_params(**silent)


def _products(out: Diagnosis, model: Any, rows: Split, base: float, guess: ndarray, names: list[str]) -> None:
    n, d = rows.X.shape
    if n * d * (d + 3) / 2 > PRODUCTS:
        return
    spread = rows.X.std(0, dtype=np.float64)
    z = (rows.X - rows.X.mean(0, dtype=np.float64)) / np.where(spread > 0, spread, 1.0)
    a, b = np.triu_indices(d)
    wide = np.hstack([z, z[:, a] * z[:, b]])
    settings = {"fit_intercept": True, "penalty_factors": None, "groups": None}
    pairs = clone(model).set_params(**{k: v for k, v in settings.items() if k in model.get_params()})
    pairs = rows.fit(pairs, wide)
    answer = rows.predict(pairs, wide)
    new = out.scores["with products of two columns"] = rows.score(answer)
    if rows.better(answer, guess):
        best = np.abs(np.atleast_2d(pairs.coef_)).max(0)[d:]
        top = ", ".join(f"{names[a[i]]} × {names[b[i]]}" for i in np.argsort(-best)[:3])
        out.add(
            "interactions",
            f"Products of two columns would take {rows.what} from {figure(base)} to {figure(new)}; the largest are "
            f"{top}. The answer is not linear in the columns.",
        )


def _losses(out: Diagnosis, model: Any, rows: Split, base: float, guess: ndarray) -> None:
    """Whether another loss scores better, and for regressors whether residuals ask for a robust one."""

    own = getattr(model, "loss", "softmax") if rows.classes else model._loss().name
    others: dict[str, Any] = {}
    if rows.classes and own != "squared_hinge":
        others["squared hinge loss"] = LinearSVC(C=model.C if np.isfinite(model.C) else 1e6, tol=1e-4)
    y = rows.y
    if not rows.classes and own == "squared" and y.min() >= 0 and y[rows.train].max() > 0:
        if np.all(y % 1 == 0):
            others["Poisson loss"] = PoissonRegressor(alpha=1e-6, tol=1e-4)
        elif y.min() > 0 and np.mean(y) > 1.2 * np.median(y):
            others["gamma loss"] = GeneralizedLinearModel("gamma", alpha=1e-6, tol=1e-4)
    for name, other in others.items():
        other.set_params(fit_intercept=model.fit_intercept)
        answer = rows.predict(rows.fit(other))
        new = out.scores[f"with {name}"] = rows.score(answer)
        if rows.better(answer, guess):
            out.add("loss", f"With {name} {rows.what} goes from {figure(base)} to {figure(new)}.")
    if own not in ("squared", "squared_epsilon_insensitive"):
        return
    error = np.abs(guess - y[rows.test])
    scale = 1.4826 * np.median(error) + 1e-300
    far = float(np.mean(error > 6 * scale))
    robust = GeneralizedLinearModel("absolute", alpha=0.0, tol=1e-4)
    answer = rows.predict(rows.fit(robust))
    out.scores["with absolute loss"] = rows.score(answer)
    other_error = np.abs(answer - y[rows.test])
    if far > 0.005 and np.median(other_error) < 0.9 * np.median(error):
        out.add(
            "loss",
            f"{far:.1%} of residuals are beyond six times their usual size. With the absolute loss the median "
            f"error falls from {np.median(error):.3g} to {np.median(other_error):.3g}; use HuberRegressor or "
            "LeastAbsoluteDeviations.",
        )


def _trees(out: Diagnosis, rows: Split, base: float, guess: ndarray, index: ndarray) -> None:
    """The score of a model that is not linear, and labels that it contradicts."""
    # a slow import, which only a diagnosis needs
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    make = HistGradientBoostingClassifier if rows.classes else HistGradientBoostingRegressor
    flexible = rows.fit(make(max_iter=100, random_state=0))
    answer = rows.predict(flexible)
    new = out.scores["boosted trees"] = rows.score(answer)
    best = max(out.scores.values())
    if rows.better(answer, guess):
        out.add(
            "limit",
            f"Boosted trees reach {rows.what} {figure(new)} on these columns, this linear model {figure(base)}: "
            "the columns hold more than a linear model can use.",
        )
    elif base > 0.95 and "interactions" not in out.kinds():
        out.add(
            "limit",
            f"Little is left to gain: {rows.what} is {figure(base)}, that of boosted trees {figure(new)}.",
        )
    else:
        out.add(
            "limit",
            f"Boosted trees are no better beyond chance ({rows.what} {figure(new)} beside {figure(base)})"
            f"{'' if 'interactions' in out.kinds() else ': look for other columns'}.",
        )
    test = rows.test
    if not rows.classes or len(rows.train) < SURE_FROM:
        return
    test = test[np.isin(rows.y[test], flexible.classes_)]
    p = flexible.predict_proba(rows.X[test])
    own = p[np.arange(len(test)), np.searchsorted(flexible.classes_, rows.y[test])]
    odd = np.flatnonzero((own < 0.05) & (p.max(1) > 0.9))
    if len(odd) > max(3, 0.01 * len(test)) and best > 0.6:
        # an index of texts names rows by itself
        word = "" if isinstance(index[test[odd[0]]], str) else "rows "
        shown = word + ", ".join(str(index[test[i]]) for i in odd[:5])
        out.add(
            "noise",
            f"{len(odd) / len(test):.1%} of labels set aside are contradicted with more than 90 % confidence by a "
            f"model that never saw them ({shown}, …): look at these labels.",
        )
