"""Tasks of the benchmark of linear models: seeded data, the bar of each, and the solvers of scikit-learn to try."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, csr_matrix
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split

SEED = 7


class Task(NamedTuple):
    """Data sets that are fitted one after the other, with what may be spent on them.

    Args:
        sets: (X, y) pairs; X is float32.
        C: inverse strength of the penalty.
        bar: largest part of scikit-learn's time that passes.
        rivals: (solver, type of X) of scikit-learn, the likely best first; liblinear penalises the intercept,
            which costs it little gap on the one task that it is tried on.
        l1_ratio, intercept: as in ``LogisticRegression``.
    """

    sets: list[tuple[Any, np.ndarray]]
    C: float
    bar: float
    rivals: tuple[tuple[str, str], ...]
    l1_ratio: float = 0.0
    intercept: bool = True


SMALL = (("lbfgs", "float32"), ("lbfgs", "float64"), ("newton-cg", "float64"), ("newton-cholesky", "float64"))
NEWTON = (("newton-cholesky", "float64"), ("newton-cg", "float64"))
CG = (("newton-cg", "float32"), ("newton-cg", "float64"))
SPARSE = (("newton-cg", "float32"), ("lbfgs", "float32"), ("lbfgs", "float64"))
"""lbfgs reaches no small gap on the dense tasks, newton-cholesky needs minutes on the largest, saga on each of them."""


def reported() -> Task:
    """Three data sets on which a softmax solver was reported as broken; no intercept."""
    sets = []
    for seed in (100004, 100137, 101034):
        with np.load(Path(__file__).parents[1] / "examples" / "data" / f"qn_softmax_{seed}.npz") as kept:
            sets.append((kept["X_train"].astype(np.float32), kept["y_train"]))
    return Task(sets, 10.0, 1.0, SMALL, intercept=False)


def alike() -> Task:
    """50 data sets of the same kind: 3/4 of 5,000 rows of 20 columns, 4 classes."""
    sets = []
    for seed in range(50):
        X, y = make_classification(5000, 20, n_informative=10, n_redundant=2, n_classes=4, random_state=seed)
        X, _, y, _ = train_test_split(X.astype(np.float32), y, random_state=seed, stratify=y)
        sets.append((X, y))
    return Task(sets, 10.0, 1.0, SMALL, intercept=False)


def digits(C: float, bar: float) -> Task:
    """scikit-learn's digits as they are, 10 classes."""
    X, y = load_digits(return_X_y=True)
    return Task([(X.astype(np.float32), y)], C, bar, NEWTON)


def dense(C: float) -> Task:
    """200,000 correlated rows of 100 columns, 5 classes."""
    rng = np.random.default_rng(SEED)
    n, d, K = 200_000, 100, 5
    mix = rng.normal(size=(d, d)) / np.sqrt(d) + 0.1
    X = (rng.normal(size=(n, d)) @ mix).astype(np.float32)
    y = np.argmax(X @ (0.15 * rng.normal(size=(d, K))) + rng.gumbel(size=(n, K)), 1)
    return Task([(X, y)], C, 1 / 10, CG)


def scaled(C: float, n: int = 100_000) -> Task:
    """Rows of 50 columns with spreads from 1e-2 to 1e2 and means away from zero, 2 classes."""
    rng = np.random.default_rng(SEED)
    d = 50
    spread = np.logspace(-2, 2, d)
    X = (rng.normal(size=(n, d)) * spread + 2 * spread * rng.normal(size=d)).astype(np.float32)
    z = (X - X.mean(0)) @ (0.5 * rng.normal(size=d) / spread)
    return Task([(X, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int))], C, 1 / 6, NEWTON)


def sparse(K: int, bar: float, l1_ratio: float = 0.0) -> Task:
    """50,000 rows of 20,000 columns, 40 draws a row from Zipf's law, rows of length 1."""
    rng = np.random.default_rng(SEED)
    n, d, m = 50_000, 20_000, 40
    share = 1 / (np.arange(d) + 30)
    columns = rng.choice(d, size=(n, m), p=share / share.sum())
    X = csr_matrix((np.ones(n * m), (np.repeat(np.arange(n), m), columns.ravel())), shape=(n, d))
    X.sum_duplicates()
    length = np.sqrt(np.asarray(X.multiply(X).sum(1)).ravel())
    X.data /= np.repeat(length, np.diff(X.indptr))
    y = np.argmax(X @ rng.normal(size=(d, K)) + rng.gumbel(size=(n, K)), 1)
    rivals = (("liblinear", "float64"),) if l1_ratio else SPARSE
    return Task([(csr_array(X.astype(np.float32)), y)], 1.0, bar, rivals, l1_ratio)


FITS: dict[str, Callable[[], Task]] = {
    "reported": reported,
    "alike": alike,
    "digits": lambda: digits(1.0, 0.8),
    "digits_C100": lambda: digits(100.0, 1.0),
    "dense": lambda: dense(1.0),
    "dense_none": lambda: dense(np.inf),
    "scaled": lambda: scaled(1.0),
    "scaled_none": lambda: scaled(np.inf),
    "sparse": lambda: sparse(2, 1 / 3),
    "sparse_10": lambda: sparse(10, 1 / 2),
    "sparse_l1": lambda: sparse(2, 1.0, l1_ratio=1.0),
}
"""Single fits."""

PATHS: dict[str, Callable[[], Task]] = {
    "cv_digits": lambda: digits(1.0, 0.5),
    "cv_scaled": lambda: scaled(1.0, 20_000)._replace(bar=0.5),
}
"""10 values of C by 5 folds."""

PLAIN = 1 / 3
"""The bar without a compiler, where the other one is not easier."""
