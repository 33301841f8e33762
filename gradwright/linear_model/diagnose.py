"""Diagnosis: what limits the score of a fitted linear model, in plain words and with the columns named."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import clone, is_classifier
from sklearn.model_selection import train_test_split

from . import inputs
from .result import Status

ROWS = 20_000
"""Rows that comparisons use at most."""
PAIRS = 60
"""Columns up to which all products of two are tried."""


@dataclass
class Diagnosis:
    """Findings in plain sentences, the most important first, and the held-out scores they rest on.

    Attributes:
        findings: (kind, sentence); kinds are optimum, solver, separated, collinear, constant, scaling, precision,
        intercept,
            interactions, loss, noise, limit.
        scores: of the same rows held out, by the model's variant: accuracy, or R² for a regressor.
    """

    findings: list[tuple[str, str]] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    every: int = 1
    """Comparisons use each ``every``-th row."""

    def add(self, kind: str, sentence: str) -> None:
        self.findings.append((kind, sentence))

    def kinds(self) -> set[str]:
        """The kinds of finding there are."""
        return {kind for kind, _ in self.findings}

    def __str__(self) -> str:
        return "\n".join(f"- {sentence}" for _, sentence in self.findings)


def diagnose(model: Any, X: Any, y: Any, sample_weight: Any = None) -> Diagnosis:
    """Look at a fitted model and the rows X, y; the findings are printed too."""
    X = inputs.matrix(model, X, reset=False)
    y = np.asarray(inputs.plain(y))
    out = Diagnosis()
    names = getattr(model, "feature_names_in_", None)
    names = [str(n) for n in names] if names is not None else [f"column {j}" for j in range(X.shape[1])]
    _solver(out, model)
    rows = _some(X, y)
    out.every = max(1, -(-X.shape[0] // ROWS))
    _columns(out, rows[0], names)
    _separable(out, model, rows, names)
    _alternatives(out, model, rows)
    print(out)
    return out


def _some(X: Any, y: ndarray) -> tuple[ndarray, ndarray]:
    """At most ``ROWS`` rows, evenly spread, dense."""
    step = max(1, -(-X.shape[0] // ROWS))
    rows = X[::step]
    if hasattr(rows, "toarray"):
        rows = rows[: max(1, int(2e8 // max(rows.shape[1], 1)))]
        return rows.toarray(), y[::step][: rows.shape[0]]
    return np.asarray(rows), y[::step]


def _solver(out: Diagnosis, model: Any) -> None:
    result = model.result_
    relative = result.relative_gap_bound
    if result.status is Status.converged:
        out.add(
            "optimum",
            f"The solver is at the optimum: the objective {result.objective:.6g} is proven to be within {relative:.1g} "
            "(relative) of the smallest possible. No other solver, step size or tolerance can lower it: what limits "
            "the "
            "score now is the model or the data.",
        )
    elif result.status is not Status.separated:
        out.add(
            "solver", f"The solver is not at the optimum: up to {relative:.1%} may be gained. {result.status.sentence}."
        )
    if result.status is Status.float_limit or any("singular" in step for step in result.ladder):
        out.add("precision", f"Rounding limits this fit: {'; '.join(result.ladder) or result.status.sentence}.")


def _columns(out: Diagnosis, X: ndarray, names: list[str]) -> None:
    values = X.astype(np.float64)
    peak = np.abs(values).max(0)
    values = values / np.where(peak > 0, peak, 1.0)
    mean, spread = values.mean(0), values.std(0)
    constant = spread <= 1e-9 * np.maximum(np.abs(mean), 1e-300)
    if constant.any():
        out.add("constant", f"{_list(names, constant)} never change and carry no information; drop them.")
    scale = spread * peak
    live = ~constant
    if live.sum() > 1 and scale[live].max() > 1e4 * scale[live].min():
        low, high = np.argmin(np.where(live, scale, np.inf)), np.argmax(np.where(live, scale, 0))
        out.add(
            "scaling",
            f"Columns have very different spreads, from {scale[low]:.2g} ({names[low]}) to {scale[high]:.2g} "
            f"({names[high]}). "
            "The solver is not hurt by that, but one penalty cannot fit both: scale the columns, or set "
            "penalty_factors.",
        )
    digits = np.abs(mean) > 1e4 * np.maximum(spread, 1e-300)
    if X.dtype == np.float32 and (digits & live).any():
        out.add(
            "precision",
            f"{_list(names, digits & live)} lie far from zero compared with their spread, so float32 holds few "
            f"digits of what "
            "differs between rows; subtract a constant before storing, or store float64.",
        )
    if 1 < live.sum() <= 2000 and len(X) > 2:
        place = np.flatnonzero(live)
        z = (values[:, place] - mean[place]) / spread[place]
        lam, vec = np.linalg.eigh(z.T @ z / len(z))
        for v in vec.T[lam < 1e-9][:5]:
            part = np.zeros(len(names), bool)
            part[place[np.abs(v) > 1e-3]] = True
            reason = (
                f"there are fewer rows ({len(X)}) than columns"
                if part.sum() > 8 and len(X) <= len(place)
                else "one of them can be computed from the others"
            )
            out.add(
                "collinear",
                f"{_list(names, part)} are collinear: {reason}, so that single coefficients mean little without a "
                f"penalty.",
            )
            if part.sum() > 8:
                break


def _list(names: list[str], mask: ndarray) -> str:
    chosen = [names[j] for j in np.flatnonzero(mask)]
    return ", ".join(chosen[:8]) + (f" and {len(chosen) - 8} more" if len(chosen) > 8 else "")


def _separable(out: Diagnosis, model: Any, rows: tuple[ndarray, ndarray], names: list[str]) -> None:
    if model.result_.status is not Status.separated:
        return
    X, y = rows
    alone = []
    for j in range(X.shape[1]):
        ends = sorted((X[y == c, j].min(), X[y == c, j].max()) for c in model.classes_ if np.any(y == c))
        if all(a[1] < b[0] for a, b in pairwise(ends)):
            alone.append(j)
    weight = np.abs(np.atleast_2d(model.coef_)).max(0) * X.astype(np.float64).std(0)
    if alone:
        which = f"{', '.join(names[j] for j in alone[:8])} alone separates them"
    else:
        top = np.argsort(-weight)[:5]
        which = f"the direction that does rests most on {', '.join(names[j] for j in top if weight[j] > 0)}"
    out.add(
        "separated",
        f"The classes can be separated without error: {which}. Without a penalty coefficients grow without end and "
        "probabilities go to 0 and 1; add an L2 penalty (smaller C), and check that no column gives the answer away.",
    )


def _alternatives(out: Diagnosis, model: Any, rows: tuple[ndarray, ndarray]) -> None:
    """Fit variants to two thirds of the rows and compare them on the rest."""
    X, y = rows
    classes = is_classifier(model)
    if len(y) < 60 or (classes and np.unique(y, return_counts=True)[1].min() < 6):
        return
    train, test = train_test_split(np.arange(len(y)), test_size=1 / 3, random_state=0, stratify=y if classes else None)
    what = "accuracy" if classes else "R²"

    def score(fitted: Any, columns: ndarray) -> float:
        answer = fitted.predict(columns)
        if classes:
            return float(np.mean(answer == y[test]))
        return float(1 - np.mean((answer - y[test]) ** 2) / max(np.var(y[test]), 1e-300))

    def fitted(columns: ndarray, **changes: Any) -> Any:
        other = clone(model).set_params(**changes)
        for name in ("penalty_factors", "groups"):
            if columns.shape[1] != X.shape[1] and name in other.get_params():
                other.set_params(**{name: None})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return other.fit(columns[train], y[train])

    noise = 2 * np.sqrt(0.25 / len(test)) if classes else 0.02
    base = out.scores["this model"] = score(fitted(X), X[test])
    if not model.fit_intercept:
        new = out.scores["with an intercept"] = score(fitted(X, fit_intercept=True), X[test])
        verdict = "worth having" if new > base + noise else "not what is missing"
        out.add("intercept", f"An intercept would take held-out {what} from {base:.3f} to {new:.3f}: {verdict}.")
    if X.shape[1] <= PAIRS:
        spread = np.where(X.std(0) > 0, X.std(0), 1)
        z = ((X - X.mean(0)) / spread).astype(np.float64)
        a, b = np.triu_indices(X.shape[1])
        wide = np.hstack([z, z[:, a] * z[:, b]])
        pairs = fitted(wide, fit_intercept=True)
        new = out.scores["with products of two columns"] = score(pairs, wide[test])
        if new > base + noise:
            best = np.abs(np.atleast_2d(pairs.coef_)).max(0)[X.shape[1] :]
            names = getattr(model, "feature_names_in_", [f"column {j}" for j in range(X.shape[1])])
            top = ", ".join(f"{names[a[i]]} × {names[b[i]]}" for i in np.argsort(-best)[:3])
            out.add(
                "interactions",
                f"Products of two columns would take held-out {what} from {base:.3f} to {new:.3f}; the largest are "
                f"{top}. The "
                "answer is not linear in the columns.",
            )
    if not classes:
        _other_loss(out, model, rows, train, test, base)
    _other_model(out, model, rows, train, test, base, noise, classes, what)


def _other_loss(out: Diagnosis, model: Any, rows: tuple[ndarray, ndarray], train, test, base: float) -> None:
    """Whether residuals ask for a robust loss: its median error beside that of least squares."""
    from .regression import GeneralizedLinearModel

    X, y = rows
    error = np.abs(clone(model).fit(X[train], y[train]).predict(X[test]) - y[test])
    scale = 1.4826 * np.median(np.abs(error - np.median(error))) + 1e-300
    far = float(np.mean(error > 6 * scale))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        robust = GeneralizedLinearModel("absolute", alpha=0.0).fit(X[train], y[train])
    other = np.abs(robust.predict(X[test]) - y[test])
    out.scores["least absolute deviations"] = 1 - float(np.mean(other**2) / max(np.var(y[test]), 1e-300))
    if far > 0.005 and np.median(other) < 0.9 * np.median(error):
        out.add(
            "loss",
            f"{far:.1%} of held-out residuals are beyond six times their usual size. With the absolute loss the "
            f"median error "
            f"falls from {np.median(error):.3g} to {np.median(other):.3g}; use HuberRegressor or "
            f"LeastAbsoluteDeviations.",
        )


def _other_model(out, model, rows, train, test, base, noise, classes, what) -> None:
    """The score of a model that is not linear, and labels that it contradicts."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    X, y = rows
    if classes:
        flexible = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(X[train], y[train])
        new = float(np.mean(flexible.predict(X[test]) == y[test]))
    else:
        flexible = HistGradientBoostingRegressor(max_iter=100, random_state=0).fit(X[train], y[train])
        new = float(1 - np.mean((flexible.predict(X[test]) - y[test]) ** 2) / max(np.var(y[test]), 1e-300))
    out.scores["boosted trees"] = new
    best = max(out.scores.values())
    if new > base + noise:
        out.add(
            "limit",
            f"Boosted trees reach a held-out {what} of {new:.3f} on these columns, this linear model {base:.3f}: "
            f"the columns "
            "hold more than a linear model can use.",
        )
    elif base > 0.95:
        out.add("limit", f"Little is left to gain: held-out {what} is {base:.3f}, that of boosted trees {new:.3f}.")
    else:
        out.add(
            "limit",
            f"Boosted trees do no better (held-out {what} {new:.3f} beside {base:.3f}): look for other columns.",
        )
    if classes:
        p = flexible.predict_proba(X[test])
        own = p[np.arange(len(test)), np.searchsorted(flexible.classes_, y[test])]
        odd = np.flatnonzero((own < 0.05) & (p.max(1) > 0.9))
        if len(odd) > max(3, 0.01 * len(test)) and best > 0.6:
            shown = ", ".join(str(test[i] * out.every) for i in odd[:5])
            out.add(
                "noise",
                f"{len(odd) / len(test):.1%} of held-out labels are contradicted with more than 90 % confidence by "
                f"a model that "
                f"never saw them (rows {shown}, …): look at these labels.",
            )
