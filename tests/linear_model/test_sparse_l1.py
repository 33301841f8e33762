"""L1 on sparse X by compiled sweeps over its columns: the conditions of the optimum hold, whatever the columns."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from gradwright.linear_model import GeneralizedLinearModel, LogisticRegression
from gradwright.linear_model.data import compiled
from gradwright.linear_model.solvers import proximal

N, D = 400, 90


@pytest.fixture
def by_columns(monkeypatch, compiler):
    """Small sparse data take the road of large ones."""
    monkeypatch.setattr(proximal, "dense", lambda data: False)
    with compiled.using("compiled"):
        yield


def sparse_rows(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = random_array((N, D), density=0.15, rng=rng, data_sampler=lambda size: rng.uniform(0.2, 2.0, size)).toarray()
    X[:, 3] = 0.0
    X[:, 4] = 0.7
    X[:, 5] = X[:, 6]
    X[:, 7] *= 1e3
    z = X[:, 10:30] @ rng.normal(size=20) - 1.0
    return csr_array(X.astype(dtype)), (rng.random(N) < 1 / (1 + np.exp(-z))).astype(int), rng


def slopes(X, y, model, weights):
    z = X.toarray().astype(np.float64) @ model.coef_.ravel() + model.intercept_
    r = weights * (1 / (1 + np.exp(-z)) - y)
    return X.toarray().astype(np.float64).T @ r, r.sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("ratio", [1.0, 0.6])
def test_conditions_of_the_optimum(by_columns, dtype, intercept, ratio):
    X, y, rng = sparse_rows(dtype)
    weights, factors = rng.uniform(0.0, 2.0, N), np.ones(D)
    factors[12], factors[13] = 0.0, 3.0
    model = LogisticRegression(
        C=0.5, l1_ratio=ratio, fit_intercept=intercept, penalty_factors=factors, tol=1e-11, max_iter=200
    ).fit(X, y, weights)
    assert model.result_.status == "converged"
    w = model.coef_.ravel()
    g, gb = slopes(X, y, model, weights)
    g = 0.5 * g + (1 - ratio) * factors * w
    l1 = ratio * factors
    off = np.where(w == 0, np.maximum(np.abs(g) - l1, 0.0), np.abs(g + l1 * np.sign(w)))
    assert off.max() <= 2e-4
    assert w[3] == 0
    assert 5 < np.count_nonzero(w) < D
    if intercept:
        assert abs(gb) <= 1e-5
        assert w[4] == 0


@pytest.mark.parametrize("loss", ["logistic", "poisson", "squared", "huber"])
def test_compiled_sweeps_reach_the_optimum_of_plain_ones(by_columns, loss):
    X, y, rng = sparse_rows(seed=1)
    target = y if loss == "logistic" else rng.poisson(1.0 + y) if loss == "poisson" else y + rng.normal(size=N)
    model = GeneralizedLinearModel(loss, alpha=0.01, l1_ratio=1.0, tol=1e-9, max_iter=300)
    fast = model.fit(X, target)
    first, kept = fast.result_, fast.coef_ != 0
    with compiled.using("plain"):
        plain = model.fit(X, target)
    assert first.status == plain.result_.status == "converged"
    assert first.objective == pytest.approx(plain.result_.objective, rel=2e-9)
    assert abs(int(kept.sum()) - np.count_nonzero(plain.coef_)) <= 1


def test_a_warm_start_empties_columns_that_hold_nothing(by_columns):
    X, y, _ = sparse_rows()
    model = LogisticRegression(C=0.5, l1_ratio=1.0, warm_start=True).fit(X, y)
    first = model.result_.objective
    model.coef_ = model.coef_ + 1.0
    model.fit(X, y)
    assert not model.coef_[0, 3:5].any()
    assert model.result_.objective == pytest.approx(first, rel=2e-6)


def test_nothing_is_chosen_from_the_largest_strength_on(by_columns):
    X, y, _ = sparse_rows()
    largest = np.abs(X.toarray().T @ (y - y.mean())).max()
    assert not LogisticRegression(C=0.999 / largest, l1_ratio=1.0).fit(X, y).coef_.any()
    assert LogisticRegression(C=1.01 / largest, l1_ratio=1.0, tol=1e-9).fit(X, y).coef_.any()
