"""No pass reads past the rows it is given: X as a view of a larger buffer of NaN, for every rest of n by 64."""

import numpy as np
import pytest

from gradwright import linear_model as lm
from gradwright.linear_model.data import RowLoss, compiled, kernels

from .problems import LOSSES


def evaluated(mode, X, y):
    n, d = X.shape
    with compiled.using(mode):
        G, gb, Z, D = np.zeros((d, 1)), np.zeros(1), np.zeros((n, 1)), np.zeros((n, 1), np.float32)
        W, b, terms = np.ones((d, 1)), np.zeros(1), RowLoss(LOSSES["logistic"], y)
        total = kernels.rows_pass(kernels.EVALUATE, X, terms, W, b, Z, D, G, gb)
        kernels.rows_pass(kernels.CURVE, X, terms, W, b, Z, D, G, gb)
    return np.concatenate([[total], G.ravel(), gb, Z.ravel()])


@pytest.mark.parametrize("d", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", ["own", "end", "slice"])
def test_every_rest_of_rows_beside_nan(d, dtype, form, compiler):
    """``own`` is memory of its own, whose end a sanitizer watches; the others lie within NaN."""
    rng = np.random.default_rng(d)
    for n in range(64, 128):
        X = rng.normal(size=(n, d)).astype(dtype)
        if form == "end":
            room = np.full(n * d + 64, np.nan, dtype)
            room[: n * d] = X.ravel()
            given = room[: n * d].reshape(n, d)
        elif form == "slice":
            room = np.full((n + 9, d + 5), np.nan, dtype)
            room[:n, :d] = X
            given = room[:n, :d]
        else:
            given = X
        y = (rng.random(n) < 0.5).astype(float)
        found, expected = evaluated("compiled", given, y), evaluated("plain", X, y)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


MODELS = [
    lm.LogisticRegression(),
    lm.LogisticRegression(l1_ratio=1.0),
    *(
        pytest.param(model, marks=pytest.mark.slow)
        for model in (
            lm.LogisticRegression(multi_class="softmax"),
            lm.Ridge(),
            lm.Lasso(0.01),
            lm.PoissonRegressor(),
            lm.LinearSVC(),
            lm.LinearSVR(epsilon=0.1),
        )
    ),
]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_models_on_slices_beside_nan(model, compiler):
    rng = np.random.default_rng(0)
    for n, d in ((65, 1), (127, 3), (96, 2), (64, 4)):
        room = np.full((n + 7, d + 3), np.nan)
        room[:n, :d] = rng.normal(size=(n, d))
        y = rng.integers(0, 2, n)
        with compiled.using("compiled"):
            found = model.fit(room[:n, :d], y).coef_.copy()
            np.testing.assert_allclose(found, model.fit(room[:n, :d].copy(), y).coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 3])
def test_many_rows_of_few_columns(d, compiler):
    X = np.random.default_rng(0).normal(size=(320_001, d))
    y = (np.arange(320_001) % 2).astype(float)
    np.testing.assert_allclose(evaluated("compiled", X, y), evaluated("plain", X, y), rtol=1e-9, atol=1e-9)
