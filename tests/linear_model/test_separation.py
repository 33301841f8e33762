"""Rows that can be separated, all or some, are found, with the columns that do it; others are not."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

from gradwright import linear_model as lm
from gradwright.linear_model.diagnosis import separation

N = 300


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(N, 4))


def search(X, label, K=1, intercept=True, usable=None):
    rows = separation.Rows(X, 2.0 * label - 1.0, np.asarray(label, np.intp), np.zeros(len(label), bool), K, intercept)
    return separation.find(rows, np.full(X.shape[1], True) if usable is None else usable)


def labels(X, K=2, seed=1):
    """Classes that overlap in every direction."""
    return (np.abs(X[:, 0] + np.random.default_rng(seed).normal(size=len(X)) * 3).astype(int)) % K


def test_overlapping_classes_have_no_direction(X):
    assert search(X, labels(X)) is None
    assert search(X, labels(X, 3), K=3) is None
    assert search(csr_array(X), labels(X)) is None


def test_all_rows(X):
    found = search(X, (X[:, 2] > 0.1).astype(int))
    assert found.complete
    assert found.rows.all()
    assert found.columns.tolist() == [2]
    ordered = search(X, np.digitize(X[:, 1], [-0.5, 0.5]), K=3)
    assert ordered.complete
    assert ordered.columns.tolist() == [1]


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_dummy_that_only_one_class_has(X, form, intercept):
    label = labels(X)
    dummy = ((np.random.default_rng(2).random(N) < 0.2) & (label == 1)).astype(float)
    found = search(form(np.column_stack([X, dummy])), label, intercept=intercept)
    assert not found.complete
    assert found.columns.tolist() == [4]
    np.testing.assert_array_equal(found.rows, dummy > 0)


def test_rows_on_the_border_are_of_both_classes(X):
    a, b = np.random.default_rng(3).integers(0, 3, (2, N))
    label = np.where(a == b, labels(X), (a > b).astype(int))
    found = search(np.column_stack([X[:, :2], a, b]), label)
    assert not found.complete
    assert sorted(found.columns.tolist()) == [2, 3]
    np.testing.assert_array_equal(found.rows, a != b)


def test_softmax_where_no_class_alone_can_be_separated(X):
    """Two pairs of classes lie apart, but each overlaps the other of its pair."""
    pair = (X[:, 2] > 0).astype(int)
    X[:, 2] += 0.5 * np.sign(X[:, 2])
    label = labels(X[:, :2]) + 2 * pair
    found = search(X, label, K=4)
    assert not found.complete
    assert found.columns.tolist() == [2]
    for k in range(4):
        alone = search(X, (label == k).astype(int))
        assert alone is None


def test_only_columns_without_a_penalty_count(X):
    label = labels(X)
    dummy = ((np.random.default_rng(2).random(N) < 0.2) & (label == 1)).astype(float)
    usable = np.array([True, True, True, True, False])
    assert search(np.column_stack([X, dummy]), label, usable=usable) is None


@pytest.mark.parametrize(
    "settings", [{"C": np.inf}, {"C": 1.0, "penalty_factors": [1, 1, 1, 1, 0]}, {"C": np.inf, "fit_intercept": False}]
)
def test_diagnosis_says_which_column_and_where(X, settings):
    label = labels(X)
    dummy = ((np.random.default_rng(2).random(N) < 0.2) & (label == 1)).astype(float)
    X = np.column_stack([X, dummy])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lm.LogisticRegression(**settings).fit(X, label)
    text = dict(model.diagnose(X, label).findings)["separated"]
    assert f"{int(dummy.sum())} of {N} rows can be separated without error by column 4 alone" in text
    assert "where it is above 0; the only class there: 1" in text


def test_diagnosis_of_a_penalised_fit_names_a_column_that_gives_the_answer_away(X):
    label = labels(X, 3)
    model = lm.LogisticRegression().fit(np.column_stack([X, 10.0 * label]), label)
    text = dict(model.diagnose(np.column_stack([X, 10.0 * label]), label).findings)
    assert text["separated"].startswith("column 4 alone tells the classes apart")
    assert "optimum" in text


def test_counts_that_are_always_zero_for_a_dummy(X):
    rng = np.random.default_rng(4)
    dummy = (rng.random(N) < 0.2).astype(float)
    y = np.where(dummy > 0, 0, rng.poisson(1.0, N))
    X = np.column_stack([X, dummy])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = lm.PoissonRegressor(alpha=0.0).fit(X, y)
    assert "by column 4 alone, where it is above 0." in dict(model.diagnose(X, y).findings)["separated"]
