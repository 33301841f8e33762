"""Diagnosis: what limits the score of a fitted linear model, in plain words and with the columns named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray
from scipy import linalg
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from gradwright.linear_model.certificate import Status
from gradwright.linear_model.data import inputs
from gradwright.linear_model.diagnosis import alternatives, separation

ROWS = 20_000
"""Rows that comparisons use at most."""
ENTRIES = 2e7
"""Numbers that those rows hold at most."""
SURE = 8.0
"""Predictions beyond which a row may be one that can be separated: probabilities within 0.0004 of 0 or 1."""


@dataclass
class Diagnosis:
    """Findings in plain sentences, the most important first, and the held-out scores they rest on.

    Attributes:
        findings: (kind, sentence); kinds are optimum, solver, separated, constant, scaling, precision, collinear,
            intercept, interactions, loss, limit, noise, tried.
        scores: of the same rows held out, by the model's variant: accuracy, or R² for a regressor.
        every: comparisons use each ``every``-th row. Rows are named by their number, or by the index of a data frame.
    """

    findings: list[tuple[str, str]] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    every: int = 1

    def add(self, kind: str, sentence: str) -> None:
        self.findings.append((kind, sentence))

    def kinds(self) -> set[str]:
        """The kinds of finding there are."""
        return {kind for kind, _ in self.findings}

    def __str__(self) -> str:
        return "\n".join(f"- {sentence}" for _, sentence in self.findings)


def diagnose(model: Any, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Diagnosis:
    """Look at a fitted model and rows X (n, d), y (n,), best those of the fit.

    Other models are fitted to two thirds of at most 20 000 of the rows and scored on the rest.

    Raises:
        ValueError: the model is not fitted, or X, y, sample_weight or offset do not go with it.
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
        _leak(out, rows, y[:: out.every], names)
    _columns(out, rows, names, bool(model.fit_intercept))
    some_weights = None if weights is None else weights[:: out.every]
    some_offset = None if offset is None else np.asarray(inputs.plain(offset))[:: out.every]
    place = (np.arange(n) if index is None else index)[:: out.every]
    alternatives.compare(out, model, rows, y[:: out.every], some_weights, some_offset, names, place)
    return out


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


def _leak(out: Diagnosis, X: ndarray, y: ndarray, names: list[str]) -> None:
    """Single columns by which all classes can be told apart."""
    classes = np.unique(y)
    low = np.array([X[y == c].min(0) for c in classes])
    high = np.array([X[y == c].max(0) for c in classes])
    order = np.argsort(low, axis=0, kind="stable")
    low, high = np.take_along_axis(low, order, 0), np.take_along_axis(high, order, 0)
    alone = np.all(high[:-1] < low[1:], axis=0)
    if alone.any() and len(classes) > 1:
        out.add(
            "separated",
            f"{listed(names, alone)} alone {'tells' if alone.sum() == 1 else 'tell'} the classes apart without error; "
            "check that it does not give the answer away.",
        )


def _columns(out: Diagnosis, X: ndarray, names: list[str], intercept: bool) -> None:
    values = X.astype(np.float64)
    peak = np.abs(values).max(0, initial=0.0)
    values /= np.where(peak > 0, peak, 1.0)
    mean, spread = values.mean(0), values.std(0)
    live = spread > 1e-9 * np.maximum(np.abs(mean), 1e-300)
    if not live.all():
        out.add(
            "constant",
            f"{listed(names, ~live)} never {'changes and carries' if (~live).sum() == 1 else 'change and carry'} no "
            "information; drop what is constant.",
        )
    scale = spread * peak
    if live.sum() > 1 and scale[live].max() > 1e4 * scale[live].min():
        low, high = np.argmin(np.where(live, scale, np.inf)), np.argmax(np.where(live, scale, 0))
        out.add(
            "scaling",
            f"Columns have very different spreads, from {scale[low]:.2g} ({names[low]}) to {scale[high]:.2g} "
            f"({names[high]}). The solver is not hurt by that, but one penalty cannot fit both: scale the columns, or "
            "set penalty_factors.",
        )
    digits = live & (np.abs(mean) > 1e4 * np.maximum(spread, 1e-300))
    if X.dtype == np.float32 and digits.any():
        out.add(
            "precision",
            f"{listed(names, digits)}: far from zero compared with the spread, so that float32 holds few digits of "
            "what differs between rows; subtract a constant before storing, or store float64.",
        )
    if not 1 < live.sum() <= 2000 or len(X) < 3:
        return
    if len(X) <= live.sum():
        out.add(
            "collinear",
            f"There are no more rows ({len(X)}) than columns ({int(live.sum())}), so that columns are collinear: "
            "without a penalty many coefficients fit equally well.",
        )
        return
    place = np.flatnonzero(live)
    z = values[:, place] - (mean[place] if intercept else 0.0)
    z /= np.sqrt(np.square(z).mean(0))
    for circuit in dependent(z.T @ z / len(z))[:5]:
        members = np.isin(np.arange(len(names)), place[circuit])
        reason = "each is a multiple of the other" if len(circuit) == 2 else "each can be computed from the others"
        out.add(
            "collinear",
            f"{listed(names, members)} are collinear: {reason}{', up to a constant' * intercept}, so that single "
            "coefficients mean little without a penalty.",
        )


def dependent(C: ndarray) -> list[ndarray]:
    """Minimal sets of columns of which one is a combination of the rest, from their correlations C (d, d).

    One set for each column beyond the rank, which pivoted QR writes in the columns it chose.
    """
    R, pivots = linalg.qr(C, mode="r", pivoting=True)
    size = np.abs(np.diag(R))
    rank = int(np.sum(size > 1e-9 * size.max(initial=0.0)))
    parts = linalg.solve_triangular(R[:rank, :rank], R[:rank, rank:])
    return [
        np.sort(np.append(pivots[:rank][np.abs(part) > 1e-4], extra)) for part, extra in zip(parts.T, pivots[rank:])
    ]


def listed(names: list[str], mask: ndarray) -> str:
    """Names of the columns in a mask, at most eight."""
    chosen = [names[j] for j in np.flatnonzero(mask)]
    return ", ".join(chosen[:8]) + (f" and {len(chosen) - 8} more" if len(chosen) > 8 else "")
