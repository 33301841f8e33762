"""Hessians: with and without their symmetric halves, in float32 and double, and matrices that stay below them."""

import numpy as np
import pytest

from gradwright.linear_model.certificate import Factor
from gradwright.linear_model.data import Data
from gradwright.linear_model.losses import Logistic, Softmax
from gradwright.linear_model.objective import Design, Objective
from gradwright.linear_model.solvers import newton


def objective(n, d, K, seed=0, dtype=np.float64, l2=1e-3):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, d)) * 10 ** rng.uniform(-1, 1, d) + rng.normal(size=d)).astype(dtype)
    y = rng.integers(0, max(K, 2), n).astype(np.float64)
    s = rng.random(n)
    s[:5] = 0.0
    loss = Softmax(K) if K > 1 else Logistic()
    F = Objective(Design(Data.of(X), True), loss, y, s / s.sum(), None, np.full(d, l2), K)
    F.use(np.float64)
    F.evaluate(0.3 * rng.normal(size=(d + 1, K)))
    return F, X


@pytest.mark.parametrize(("d", "K"), [(7, 3), (130, 3), (9, 1)])
@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_the_hessian_is_what_products_with_it_say(d, K, dtype, limit):
    F, _ = objective(300, d, K)
    V = np.random.default_rng(1).normal(size=(d + 1, K))
    V -= V.mean(1, keepdims=True) if K > 1 else 0.0
    H = F.hessian(dtype=dtype)
    expected = F.product(V)
    assert np.abs(H - H.T).max() <= limit * np.abs(H).max()
    assert np.abs((H @ V.T.ravel()).reshape(K, d + 1).T - expected).max() <= limit * np.abs(expected).max()


def test_a_factor_of_float32_products_is_below_the_hessian():
    F, _ = objective(20_000, 24, 1, dtype=np.float32)
    used = []
    gram = lambda dtype: used.append(dtype) or F.hessian(dtype=dtype)  # noqa: E731
    factor = Factor.below(gram, F.design)
    assert used == [np.float32]
    assert factor.damping < 0
    root = np.tril(factor.root).astype(np.float64) * factor.scale[:, None]
    H = F.hessian()
    assert np.linalg.eigvalsh(H - root @ root.T).min() > 0
    g = np.random.default_rng(2).normal(size=25)
    exact = g @ np.linalg.solve(H, g)
    assert exact <= g @ factor.solve(g) <= 1.1 * exact
    assert np.abs(Factor.of(H).inverse() @ H - np.eye(25)).max() < 1e-8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_row_is_never_understated(dtype):
    F, X = objective(900, 12, 1, dtype=dtype)
    L = np.random.default_rng(3).normal(size=(13, 13))
    x = np.hstack([(X.astype(np.float64) - F.design.shift) / F.design.scale, np.ones((900, 1))])
    exact = np.square(x[F.s > 0] @ L.T).sum(1).max()
    assert exact <= F.design.largest_rows(L, F.s) <= exact * (1 + 1e-3)


def test_a_rough_factor_and_true_products_solve_with_the_hessian():
    F, _ = objective(300, 20, 4, l2=1e-4)
    g = np.random.default_rng(4).normal(size=(21, 4))
    g -= g.mean(1, keepdims=True)
    rough = Factor.of(F.hessian(dtype=np.float32), 1e-3, np.float32)
    x = newton._refined(F, g, rough)
    exact = Factor.of(F.hessian()).solve(g.T.ravel()).reshape(4, 21).T
    assert np.sum((F.product(x) - g) * (x - exact)) <= 1e-3 * np.sum(g * exact)
