"""Diagnosis: what limits the score of a fitted linear model, in plain words and with the columns named."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from gradwright.linear_model.certificate import Status
from gradwright.linear_model.data import inputs
from gradwright.linear_model.diagnosis import alternatives, separation
from gradwright.linear_model.diagnosis.columns import find_leaks, look_at_columns
from gradwright.linear_model.diagnosis.findings import Diagnosis

ROWS = 20_000
"""Rows that comparisons use at most."""
ENTRIES = 2e7
"""Numbers that those rows hold at most."""
SURE = 8.0
"""Predictions beyond which a row may be one that can be separated: probabilities within 0.0004 of 0 or 1."""


def diagnose(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    offset: Any = None,
    held_out: tuple[Any, Any] | None = None,
) -> Diagnosis:
    """Look at a fitted model and rows X (n, d), y (n,), best those of the fit.

    Other models are fitted to two thirds of at most 20 000 of the rows and scored on the rest; or to all of these and
    scored on rows ``held_out`` (X, y), which the fit never saw, as this model is then, too.

    Raises:
        ValueError: the model is not fitted, or X, y, sample_weight, offset or held_out do not go with it.
    """
    check_is_fitted(model)
    if callable(X):
        raise ValueError("diagnose needs rows X and y, not a function that gives chunks; pass one or some chunks")
    index = np.asarray(X.index) if hasattr(X, "index") and hasattr(X, "columns") else None
    X, y = inputs.matrix(model, inputs.plain(X), reset=False), np.asarray(inputs.plain(y)).ravel()
    n, d = X.shape
    if len(y) != n:
        raise ValueError(f"X has {n} rows and y {len(y)}; give the same rows")
    if is_classifier(model) and not np.isin(y, model.classes_).all():
        odd = y[~np.isin(y, model.classes_)].tolist()[0]
        raise ValueError(f"y holds {odd!r}, which is not among the classes of the fit, {model.classes_.tolist()}")
    weights = inputs.sample_weights(sample_weight, n)
    given = getattr(model, "feature_names_in_", None)
    names = [f"column {j}" for j in range(d)] if given is None else [str(name) for name in given]
    out = Diagnosis(every=max(1, -(-n // ROWS), -(-n * d // int(ENTRIES))))
    rows = X[:: out.every]
    rows = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
    _separable(out, model, X, y, weights, offset, names)
    if "separated" not in out.kinds():
        _solver(out, model)
    if is_classifier(model) and "separated" not in out.kinds():
        find_leaks(out, rows, y[:: out.every], names)
    look_at_columns(out, rows, names, bool(model.fit_intercept))
    some_weights = None if weights is None else weights[:: out.every]
    some_offset = None if offset is None else np.asarray(inputs.plain(offset))[:: out.every]
    place = (np.arange(n) if index is None else index)[:: out.every]
    held = None if held_out is None else _held(model, *held_out)
    alternatives.compare(out, model, rows, y[:: out.every], some_weights, some_offset, names, place, held)
    return out


def _held(model: Any, X: Any, y: Any) -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Rows that the fit never saw: X, y, their names, and what the model predicts."""
    guess = model.predict(X)
    index = np.asarray(X.index) if hasattr(X, "index") and hasattr(X, "columns") else np.arange(len(y))
    X, y = inputs.matrix(model, inputs.plain(X), reset=False), np.asarray(inputs.plain(y)).ravel()
    if len(y) != X.shape[0] or not len(y):
        raise ValueError(f"held_out has {X.shape[0]} rows and {len(y)} targets; give as many, and at least one")
    return (X.toarray() if hasattr(X, "toarray") else np.asarray(X)), y, index, guess


def _solver(out: Diagnosis, model: Any) -> None:
    result = model.result_
    if result.status is Status.converged:
        out.add(
            "optimum",
            f"The solver is at the optimum: the objective {result.objective:.6g} is proven to be within "
            f"{result.relative_gap_bound:.1g} (relative) of the smallest possible. No other solver, step size or "
            "tolerance can lower it: what limits the score now is the model or the data.",
        )
    elif result.status is not Status.separated:
        far = (
            f"the objective {result.objective:.6g} is at most {result.relative_gap_bound:.2g} of itself above the "
            "smallest possible"
            if result.gap_bound < 0.999 * result.objective
            else f"how far the objective {result.objective:.6g} is above the smallest possible is not known"
        )
        out.add("solver", f"The solver is not at the optimum: {far}: {result.status.sentence}.")
    if result.status is Status.float_limit or any("singular" in step for step in result.fallbacks):
        out.add("precision", f"Rounding limits this fit: {'; '.join(result.fallbacks) or result.status.sentence}.")


def _separable(out: Diagnosis, model: Any, X: Any, y: ndarray, weights, offset, names: list[str]) -> None:
    """Rows that columns without a penalty separate: all, or some (quasi-complete separation)."""
    used = np.full(len(y), True) if weights is None else weights > 0
    X, y = X[used], y[used]
    rows, usable = separation.rows_of(model, X, y), separation.usable_columns(model, X.shape[1])
    if rows is None or not usable.any():
        return
    z = model._predictions(X, None if offset is None else np.asarray(inputs.plain(offset))[used])
    reach = np.ptp(z, axis=1) if z.ndim == 2 else np.abs(z - (0.0 if is_classifier(model) else np.median(z)))
    known = model.result_.status is Status.separated
    if not known and reach.max(initial=0.0) <= SURE:
        return
    found = separation.find(rows, usable)
    cure = (
        "Without a penalty such coefficients grow without end, and their values and standard errors mean nothing; add "
        "an L2 penalty, and check that no column gives the answer away."
    )
    if found is None:
        if known:
            size = np.abs(np.atleast_2d(model.coef_)).max(0) * separation.spread(X)
            top = ", ".join(names[j] for j in np.argsort(-size)[:5] if size[j] > 0)
            out.add("separated", f"Rows can be separated without error; the direction rests most on {top}. {cure}")
        return
    which = ", ".join(names[j] for j in found.columns[:5])
    which += f" and {len(found.columns) - 5} more" if len(found.columns) > 5 else ""
    if found.complete:
        how = f"{which} alone separates them" if len(found.columns) == 1 else f"a combination of {which} does it"
        out.add("separated", f"The classes can be separated without error: {how}. {cure}")
        return
    where = f"along a combination of {which}"
    if len(found.columns) == 1:
        column = X[:, [int(found.columns[0])]]
        column = np.asarray(column.toarray() if hasattr(column, "toarray") else column, np.float64).ravel()
        inside, outside = column[found.rows], column[~found.rows]
        low, high = outside.min(), outside.max()
        beyond = [f"above {high:.6g}"] * bool(np.any(inside > high)) + [f"below {low:.6g}"] * bool(np.any(inside < low))
        clear = not np.any((inside >= low) & (inside <= high))
        where = f"by {which} alone{', where it is ' + ' or '.join(beyond) if clear else ''}"
    kinds = np.unique(y[found.rows])
    there = f"; {'the only class' if len(kinds) == 1 else 'classes'} there: {', '.join(map(str, kinds))}"
    out.add(
        "separated",
        f"{int(found.rows.sum())} of {len(y)} rows can be separated without error {where}"
        f"{there if is_classifier(model) and len(kinds) < len(model.classes_) else ''}. {cure}",
    )
