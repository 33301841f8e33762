"""Weighted Gram matrices and the weights of Hessians: compiled, plain, and by the equation."""

import warnings

import numpy as np
import pytest

from gradwright.linear_model import LogisticRegression
from gradwright.linear_model.data import Data, RowLoss, compiled, gram_kernel, kernels, line
from gradwright.linear_model.losses import Logistic, Softmax
from gradwright.linear_model.objective import Design, Objective, gram
from gradwright.native import build

from .problems import LOSSES, draw


def numbers(n, d, dtype, layout="C"):
    rng = np.random.default_rng(n + d)
    X = (rng.normal(size=(n, d)) * 10 ** rng.uniform(-2, 2, d) + 3.0).astype(dtype)
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "strided":
        wide = np.zeros((n, d + 5), dtype)
        wide[:, :d] = X
        return wide[:, :d]
    return X


def objective(X, K, intercept=True):
    loss = Softmax(K) if K > 1 else Logistic()
    rng = np.random.default_rng(0)
    y = rng.integers(0, max(K, 2), len(X)).astype(np.float64)
    F = Objective(Design(Data.of(X), intercept), loss, y, None, None, np.full(X.shape[1], 1e-3), K)
    F.use(np.float64)
    F.evaluate(0.3 * rng.normal(size=(F.p, K)))
    return F


def by_the_equation(F, X, w):
    x = (X.astype(np.float64) - F.design.shift) / F.design.scale
    if F.design.intercept:
        x = np.hstack([x, np.ones((len(x), 1))])
    return np.einsum("qi,ia,ib->qab", w, x, x), np.max(np.sum(x * x, 1))


@pytest.mark.parametrize("layout", ["C", "F", "strided"])
@pytest.mark.parametrize(("n", "d", "pairs"), [(1, 1, 1), (63, 7, 1), (64, 16, 3), (201, 53, 2), (130, 131, 1)])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("mode", ["compiled", "plain"])
def test_sums_are_those_of_the_equation(compiler, layout, n, d, pairs, intercept, mode):
    for dtype in (np.float32, np.float64):
        X = numbers(n, d, dtype, layout)
        F = objective(X, 1, intercept)
        w = np.random.default_rng(1).uniform(0.1, 1.0, (pairs, n))
        expected, longest = by_the_equation(F, X, w)
        size = np.abs(expected).max()
        for products, limit in ((np.float64, 1e-14), (np.float32, 3e-6)):
            F.design._extent = None
            with compiled.using(mode):
                got = gram.grams(F.design, lambda at, w=w: w[:, at], pairs, products)
            assert np.abs(got - expected).max() <= limit * size * np.sqrt(n)
            assert np.array_equal(got, got.transpose(0, 2, 1))
            assert longest * (1 - 1e-12) <= F.design.extent()
            if mode == "compiled":
                assert F.design.extent() <= longest * (1 + 1e-4)


def test_several_calls_for_blocks_of_rows_make_one_sum(compiler, monkeypatch):
    X = numbers(2500, 11, np.float32)
    F = objective(X, 3)
    with compiled.using("compiled"):
        whole = F._softmax_hessian(np.float64)
        blocks = F.data.dense_blocks
        monkeypatch.setattr(F.data, "dense_blocks", lambda size=None: blocks(700))
        parted = F._softmax_hessian(np.float64)
    assert np.allclose(whole, parted, rtol=1e-13, atol=1e-15)


def test_wide_rows_are_left_to_numpy(compiler):
    with compiled.using("compiled"):
        assert gram_kernel.chosen(np.dtype(np.float32), np.float64, gram_kernel.WIDEST, 1e9) is not None
        assert gram_kernel.chosen(np.dtype(np.float32), np.float64, gram_kernel.WIDEST + 1, 1e9) is None


@pytest.mark.parametrize("name", [*LOSSES])
@pytest.mark.parametrize("compute", [np.float32, np.float64])
def test_weights_of_the_hessian(compiler, name, compute):
    case = draw(name, 6, 150, 5)
    Z = np.ascontiguousarray(np.random.default_rng(0).normal(size=(150, case.K)), compute)
    s = np.random.default_rng(1).random(150)
    for own in (s, None):
        answers = []
        for mode in ("compiled", "plain"):
            with compiled.using(mode):
                answers.append(line.weights(RowLoss(case.loss, case.y, own), Z, 150.0))
        assert answers[0].shape == (case.K * (case.K + 1) // 2, 150)
        assert np.allclose(*answers, rtol=1e-12, atol=1e-12 * np.abs(answers[1]).max())
    if case.K > 1:
        p = np.exp(Z.astype(np.float64))
        p /= p.sum(1, keepdims=True)
        place = 0
        for k in range(case.K):
            for other in range(k + 1):
                expected = 150.0 * p[:, k] * ((k == other) - p[:, other])
                assert np.allclose(answers[0][place], expected, rtol=1e-10, atol=1e-12)
                place += 1


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-3, 1.0, 30.0, 600.0])
@pytest.mark.parametrize("K", [2, 3, 40])
def test_the_loss_of_a_softmax_keeps_its_digits(compiler, gap, K):
    """log(1 + rest) for rests from nothing, of confident rows, to K − 1, where all classes are alike."""
    X, y = np.full((70, 1), gap), np.zeros(70)
    W, b = np.zeros((1, K)), np.zeros(K)
    W[0, 0] = 1.0
    Z = np.zeros((70, K))
    with compiled.using("compiled"):
        total = kernels.rows_pass(
            kernels.EVALUATE, X, RowLoss(Softmax(K), y), W, b, Z, None, np.zeros((1, K)), np.zeros(K)
        )
    assert total == pytest.approx(70 * np.log1p((K - 1) * np.exp(-gap)), rel=1e-13, abs=0)


def test_predictions_that_are_not_numbers_show_in_the_loss(compiler):
    X, y = np.array([[np.nan], [1.0]]), np.zeros(2)
    with compiled.using("compiled"):
        total = kernels.rows_pass(
            kernels.EVALUATE, X, RowLoss(Softmax(3), y), np.ones((1, 3)), np.zeros(3), np.zeros((2, 3)), None,
            np.zeros((1, 3)), np.zeros(3),
        )  # fmt: skip
    assert np.isnan(total)


def test_without_a_compiler_fits_say_so_once(monkeypatch):
    def none(text):
        raise build.NoCompiler("no compiler, says the test")

    monkeypatch.setattr(build, "load", none)
    monkeypatch.setattr(compiled, "_settled", {})
    X = np.random.default_rng(0).normal(size=(400, 9))
    with compiled.using("compiled"), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2):
            model = LogisticRegression().fit(X, X[:, 0] > 0)
    assert [str(each.message) for each in seen] == ["no compiler, says the test"]
    assert model.result_.status == "converged"
