"""One pass over X: the compiled one, the plain one and central differences agree, for every loss, layout and type."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from gradwright.linear_model.data import RowLoss, compiled, kernels, line
from gradwright.linear_model.losses import Envelope, Softmax

from .problems import LOSSES, NUMBERS, draw
from .reference import loss as reference_loss

EVERY = [*LOSSES, "softmax 12", "envelope", "envelope of the hinge"]


def prepared(name, dtype):
    rng = np.random.default_rng(3)
    case = draw(name.split()[0] if "envelope" not in name else "squared", 4, 131, 23)
    loss, K, y = case.loss, case.K, case.y
    if name == "softmax 12":
        loss, K, y = Softmax(12), 12, rng.integers(0, 12, 131).astype(float)
    if "envelope" in name:
        loss = Envelope(2.0, 0.1, float("hinge" in name)) if "hinge" not in name else Envelope(2.0, 0.0, 1.0)
        y = np.sign(y) if "hinge" in name else y
    X = (case.X / np.abs(case.X).max()).astype(dtype)
    return (
        loss,
        X,
        y,
        rng.normal(size=(23, K)),
        rng.normal(size=K),
        rng.random(131),
        rng.normal(size=(131, K)),
        rng.uniform(-0.4, 0.4, 131),
    )


def passes(mode, loss, X, y, W, b, s, offset, u, compute):
    n, K, terms = len(y), W.shape[1], RowLoss(loss, y, s, offset, u)
    with compiled.using(mode):
        Z, D = np.zeros((n, K), compute), np.zeros((n, K), np.float32)
        G, gb, H, hb = np.zeros_like(W), np.zeros(K), np.zeros_like(W), np.zeros(K)
        total = kernels.rows_pass(kernels.EVALUATE, X, terms, W, b, Z, D, G, gb)
        kernels.rows_pass(kernels.CURVE, X, terms, 0.3 * W, 0.3 * b, Z, D, H, hb)
        along = line.along(terms, Z, D, 0.3)
    return np.array([total]), G, gb, Z, D, H, hb, np.array(along)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("data", "compute"), [(np.float32, np.float64), (np.float32, np.float32)])
@pytest.mark.parametrize("name", ["logistic", "softmax", "softmax 12"])
def test_compiled_passes_equal_plain_ones(name, data, compute, sparse, compiler):
    loss, X, *rest = prepared(name, data)
    X = csr_array(X) if sparse else X
    limit = 1e-12 if compute == np.float64 else 2e-5
    for plain, fast in zip(passes("plain", loss, X, *rest, compute), passes("compiled", loss, X, *rest, compute)):
        assert np.abs(plain - fast).max() <= limit * np.abs(plain).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_every_compiled_loss_equals_the_plain_one(name, compiler):
    loss, X, *rest = prepared(name, np.float64)
    for plain, fast in zip(passes("plain", loss, X, *rest, np.float64), passes("compiled", loss, X, *rest, np.float64)):
        assert np.abs(plain - fast).max() <= 1e-12 * np.abs(plain).max()


@pytest.mark.parametrize("name", list(LOSSES))
def test_loss_gradient_and_hessian_agree_with_the_equation(name):
    loss, X, y, W, b, s, offset, _ = prepared(name, np.float64)

    def value(W, b):
        return float(s @ reference_loss(name, X @ W + b + offset, y, **NUMBERS.get(name, {})))

    total, G, gb, _, _, H, _, _ = passes("plain", loss, X, y, W, b, s, offset, None, np.float64)
    assert total[0] - loss.least(y, s) == pytest.approx(value(W, b), rel=1e-12)
    rng = np.random.default_rng(0)
    V, v = rng.normal(size=W.shape), rng.normal(size=b.shape)
    step = 1e-5
    slope = (value(W + step * V, b + step * v) - value(W - step * V, b - step * v)) / (2 * step)
    assert float(np.sum(G * V) + gb @ v) == pytest.approx(slope, rel=1e-7, abs=1e-7)
    ahead = passes("plain", loss, X, y, W + step * 0.3 * W, b + step * 0.3 * b, s, offset, None, np.float64)[1]
    behind = passes("plain", loss, X, y, W - step * 0.3 * W, b - step * 0.3 * b, s, offset, None, np.float64)[1]
    np.testing.assert_allclose(H, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-5 * np.abs(H).max())


@pytest.mark.parametrize("name", list(LOSSES))
def test_conjugate_is_attained_at_the_slope(name):
    loss, X, y, W, b, *_ = prepared(name, np.float64)
    z = X @ W + b
    value, slope, _ = loss.rows(z, y)
    product = (z * slope).sum(1)
    given = loss.conjugate(slope if len(b) > 1 else slope[:, 0], y)
    np.testing.assert_allclose(given, product - value, atol=1e-9 * (1 + np.abs(product).max()))


def test_last_block_does_not_read_past_the_end_of_x(compiler):
    whole = np.full((70, 37), np.nan, np.float32)
    whole[:67, :29] = np.random.default_rng(0).normal(size=(67, 29))
    view = whole[:67, :29]
    y, W, b = np.zeros(67), np.ones((29, 1)), np.zeros(1)
    one = passes("compiled", LOSSES["logistic"], view, y, W, b, None, None, None, np.float64)
    two = passes("plain", LOSSES["logistic"], view.copy(), y, W, b, None, None, None, np.float64)
    np.testing.assert_allclose(one[1], two[1], rtol=1e-12)


@pytest.mark.parametrize("n", [1, 64, 65, 67, 70, 128, 129])
@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_few_columns_do_not_read_past_the_end_of_x(n, d, dtype, compiler):
    """A vector of such a row ends rows further on, which a last block of a few rows does not have."""
    room = np.full(n * d + 32, np.nan, dtype)
    X = room[: n * d].reshape(n, d)
    X[:] = np.random.default_rng(n + d).normal(size=(n, d))
    y, W, b = np.zeros(n), np.ones((d, 1)), np.zeros(1)
    one = passes("compiled", LOSSES["logistic"], X, y, W, b, None, None, None, np.float64)
    two = passes("plain", LOSSES["logistic"], X.copy(), y, W, b, None, None, None, np.float64)
    for mine, its in zip(one, two):
        np.testing.assert_allclose(mine, its, rtol=1e-12, atol=1e-12)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="plain"), compiled.using("fast"):
        pass
