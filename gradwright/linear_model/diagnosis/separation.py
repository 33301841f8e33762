"""Separation: a direction in which some rows are fitted ever better and none worse, so that there is no optimum.

A classifier's direction V separates where xᵢ·(V_y − V_k) ≥ 0 for every row i and class k ≠ yᵢ, and > 0 for some
(Albert and Anderson, On the existence of maximum likelihood estimates in logistic regression models, 1984): completely
if > 0 for all rows, else quasi-completely. With a log link, rows of y = 0 take the part of the separable rows, and rows
of y > 0 must not move. Linear programs find a direction (Konis, Linear programming algorithms for detecting separated
data in binary logistic regression models, 2007); of all directions the one with the smallest ‖V‖₁ of scaled columns is
taken, which uses few columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from scipy.optimize import linprog

ROUNDS = 40
MOST_UNKNOWNS = 4000
LARGEST = 1e7
"""Entries of a linear program's matrix at most."""
PRUNED = 12
"""Columns of a direction up to which it is asked of each whether the others do."""
SECONDS = 10.0
"""Time limit of one linear program."""


@dataclass(frozen=True)
class Separation:
    """A direction that separates.

    Attributes:
        columns: numbers of the columns it uses, the most important first.
        rows: which rows it fits ever better, shape (n,).
        complete: whether those are all rows.
    """

    columns: ndarray
    rows: ndarray
    complete: bool


@dataclass(frozen=True)
class Rows:
    """Rows whose margins are linear in V: sign (x·v) for K = 1, else x·(V_y − V_k); some must stay where they are.

    Args:
        X: array or CSR matrix, shape (n, d).
        sign: of each row where K is 1, shape (n,).
        label: class of each row where K is above 1, shape (n,).
        fixed: rows of which the margin must be 0, where K is 1, shape (n,).
        K: columns of V.
        intercept: whether V has a last row for a column of ones.
    """

    X: Any
    sign: ndarray
    label: ndarray
    fixed: ndarray
    K: int
    intercept: bool

    def margins(self, V: ndarray) -> ndarray:
        """Shape (n, K); for K > 1 that of a row's own class is 0."""
        z = np.asarray(self.X @ V[: self.X.shape[1]], np.float64)
        z = z + V[-1] if self.intercept else z
        if self.K == 1:
            return z * self.sign[:, None]
        return z[np.arange(len(z)), self.label][:, None] - z

    def coefficients(self, row: ndarray, k: ndarray) -> ndarray:
        """The margins of pairs (row, k) as linear functions of V.ravel(), shape (m, p K)."""
        x = self.X[row]
        x = np.asarray(x.toarray() if hasattr(x, "toarray") else x, np.float64)
        x = np.column_stack([x, np.ones(len(x))]) if self.intercept else x
        if self.K == 1:
            return x * self.sign[row][:, None]
        out = np.zeros((*x.shape, self.K))
        place = np.arange(len(x))
        out[place, :, self.label[row]] += x
        out[place, :, k] -= x
        return out.reshape(len(x), -1)

    def total(self) -> ndarray:
        """The sum of all margins as a linear function of V.ravel()."""
        n, K = self.X.shape[0], self.K
        if K == 1:
            pull = np.where(self.fixed, 0.0, self.sign)[:, None]
        else:
            pull = np.full((n, K), -1.0)
            pull[np.arange(n), self.label] += K
        G = np.asarray(self.X.T @ pull, np.float64)
        return (np.vstack([G, pull.sum(0)]) if self.intercept else G).ravel()


def find(rows: Rows, usable: ndarray) -> Separation | None:
    """A direction over the ``usable`` columns that separates all rows, or else some; None if there is none.

    Also None where a linear program would be too large to be worth its while.
    """
    n, d = rows.X.shape
    if n == 0 or not usable.any() or (d + 1) * rows.K > MOST_UNKNOWNS:
        return None
    scale = spread(rows.X)
    for complete in (True, False):
        if complete and rows.fixed.any():
            continue
        V = _direction(rows, scale, usable, complete)
        if V is None:
            continue
        columns = _used(V, scale)
        if len(columns) <= PRUNED:
            for j in columns[::-1]:
                if j not in columns:
                    continue
                fewer = np.isin(np.arange(d), columns[columns != j])
                without = _direction(rows, scale, fewer, complete) if fewer.any() else None
                if without is not None:
                    V, columns = without, _used(without, scale)
        margins = rows.margins(V)
        return Separation(columns, (margins.max(1) > 1e-6 * np.abs(margins).max()) & ~rows.fixed, complete)
    return None


def _used(V: ndarray, scale: ndarray) -> ndarray:
    """Numbers of the columns that V uses, by their size in scaled columns."""
    size = np.abs(V[: len(scale)]).max(1) * scale
    return np.argsort(-size, kind="stable")[: int(np.sum(size > 1e-6 * size.max(initial=0.0)))]


def _direction(rows: Rows, scale: ndarray, usable: ndarray, complete: bool) -> ndarray | None:
    """min ‖V‖₁ so that margins are at least 1, or at least 0 with a mean of 1; (p, K), or None if there is none.

    Constraints are added where they are broken; where those so far cannot be met, all of them cannot.
    """
    n, d = rows.X.shape
    p, K = d + rows.intercept, rows.K
    least = 1.0 if complete else 0.0
    # unknowns: parts above and below zero of V in units of 1 / scale
    unit = np.append(1.0 / scale, [1.0] * rows.intercept).repeat(K)
    cost = np.append(np.ones(d), [0.0] * rows.intercept).repeat(K)
    bounds = [(0.0, None if free else 0.0) for free in np.append(usable, [True] * rows.intercept).repeat(K)] * 2
    balance = None if complete else rows.total() * unit / n
    row = np.unique(np.linspace(0, n - 1, min(n, 40 + 4 * d)).astype(np.intp)).repeat(K)
    k = np.tile(np.arange(K), len(row) // K)
    known = np.zeros((n, K), bool)
    for _ in range(ROUNDS):
        other = np.ones(len(row), bool) if K == 1 else rows.label[row] != k
        row, k = row[other], k[other]
        if len(row) * p * K > LARGEST:
            return None
        known[row, k] = True
        A = rows.coefficients(row, k) * unit
        fixed = rows.fixed[row]
        equal = [A[fixed]] if balance is None else [A[fixed], balance[None]]
        right = np.append(np.zeros(int(fixed.sum())), [1.0] * (not complete))
        B = np.vstack(equal)
        found = linprog(
            np.tile(cost, 2), -np.hstack([A[~fixed], -A[~fixed]]), np.full(int((~fixed).sum()), -least),
            np.hstack([B, -B]) if len(B) else None, right if len(B) else None, bounds, method="highs",
            options={"time_limit": SECONDS, "primal_feasibility_tolerance": 1e-9},
        )  # fmt: skip
        if found.status != 0:
            return None
        V = ((found.x[: p * K] - found.x[p * K :]) * unit).reshape(p, K)
        margins = rows.margins(V)
        short = np.where(rows.fixed[:, None], np.abs(margins), least - margins)
        short[known] = -np.inf
        if K > 1:
            short[np.arange(n), rows.label] = -np.inf
        worst = np.argsort(-short, axis=None)[: 200 + 2 * p]
        worst = worst[short.ravel()[worst] > 1e-7 * max(1.0, np.abs(margins).max())]
        if len(worst) == 0:
            return V
        row, k = np.append(row, worst // K), np.append(k, worst % K)
    return None


def spread(X: Any) -> ndarray:
    """The spread of each column (about zero, for a sparse one), 1 for columns without any."""
    if hasattr(X, "indptr"):
        square = np.bincount(X.indices, np.square(X.data, dtype=np.float64), X.shape[1]) / X.shape[0]
        spread = np.sqrt(square)
    else:
        spread = np.asarray(X, np.float64).std(0) if X.size < 1e7 else X.std(0, dtype=np.float64)
    return np.where(spread > 0, spread, 1.0)


def rows_of(model: Any, X: Any, y: ndarray) -> Rows | None:
    """The rows of a fitted model whose loss has no optimum where they can be separated; None for other losses."""
    n, nothing = len(y), np.zeros(len(y), bool)
    if hasattr(model, "predict_proba"):
        label, K = np.searchsorted(model.classes_, y), len(np.atleast_2d(model.coef_))
        return Rows(X, 2.0 * label - 1.0, label, nothing, K, bool(model.fit_intercept))
    name = model._loss().name if hasattr(model, "_loss") else ""
    zero = np.zeros(n, np.intp)
    if name == "logistic":
        return Rows(X, np.sign(y - 0.5), zero, (y > 0) & (y < 1), 1, bool(model.fit_intercept))
    if name in ("poisson", "tweedie"):
        return Rows(X, np.full(n, -1.0), zero, y > 0, 1, bool(model.fit_intercept))
    return None


def usable_columns(model: Any, d: int) -> ndarray:
    """Columns without a penalty, along which coefficients may grow without end."""
    strength = 1.0 / getattr(model, "C_", model.C) if hasattr(model, "C") else model.alpha
    if strength == 0:
        return np.full(d, True)
    factors = getattr(model, "penalty_factors", None)
    return np.zeros(d, bool) if factors is None else np.asarray(factors) == 0
