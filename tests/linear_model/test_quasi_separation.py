"""A fit says ``separated`` where only some rows can be separated, and not where rows are only far from the border."""

import warnings

import numpy as np
import pytest

from gradwright import linear_model as lm

N = 300


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 4))
    return X, (X[:, 0] + rng.normal(size=N) > 0).astype(int)


def status(X, y, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lm.LogisticRegression(**{"C": np.inf, **settings}).fit(X, y).result_.status


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", [{}, {"fit_intercept": False}, {"C": 1.0, "penalty_factors": [1, 1, 1, 1, 0]}])
def test_a_dummy_that_only_one_class_has(rows, dtype, settings):
    X, y = rows
    dummy = (np.random.default_rng(1).random(N) < 0.1) & (y == 1)
    X = np.column_stack([X, dummy]).astype(dtype)
    assert status(X, y, **settings) == "separated"
    assert status(X[:, :4], y) == "converged"
    assert status(X, y, C=1e4) == "converged"


def test_softmax_and_directions_of_two_columns(rows):
    X, _ = rows
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, N)
    for mine in (y == 2, y >= 1):
        dummy = mine & (rng.random(N) < 0.3)
        assert status(np.column_stack([X, dummy]), y) == "separated"
    a, b = rng.integers(0, 3, (2, N))
    label = np.where(a == b, rng.integers(0, 2, N), (a > b).astype(int))
    assert status(np.column_stack([X[:, :2], a, b]), label) == "separated"


def test_far_rows_with_one_on_the_wrong_side_are_an_optimum(rows):
    X, y = rows
    dummy = ((np.random.default_rng(1).random(N) < 0.1) & (y == 1)).astype(float)
    dummy[np.flatnonzero(y == 0)[0]] = 1.0
    assert status(np.column_stack([X, dummy]), y) == "converged"
    x = np.concatenate([np.linspace(-40, -1, 150), np.linspace(1, 40, 150)])
    label = (x > 0).astype(int)
    label[148:152] = 1 - label[148:152]
    assert status(x[:, None], label) == "converged"


def test_weights_of_zero_do_not_hold_a_row_back(rows):
    X, y = rows
    dummy = ((np.random.default_rng(1).random(N) < 0.1) & (y == 1)).astype(float)
    dummy[np.flatnonzero(y == 0)[0]] = 1.0
    weight = np.ones(N)
    weight[np.flatnonzero(y == 0)[0]] = 0.0
    X = np.column_stack([X, dummy])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert lm.LogisticRegression(np.inf).fit(X, y, weight).result_.status == "separated"
