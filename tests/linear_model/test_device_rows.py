"""Rows on a device: the same answers as from the host's memory, without X ever being fetched whole.

Tensors of the CPU stand in for those of a GPU; the last test takes a real one where there is one.
"""

import numpy as np
import pytest
import torch

from gradwright import linear_model as lm
from gradwright.linear_model.data import device_rows

N, D = 6000, 12


@pytest.fixture
def there(monkeypatch):
    """Treat matrices of torch as if they lay on a device; answers what was fetched, in numbers."""
    fetched = []
    array = device_rows.DeviceRows.__array__

    def noted(self, dtype=None, copy=None):
        fetched.append(self.X.numel())
        return array(self, dtype, copy)

    monkeypatch.setattr(device_rows, "stays", lambda value: isinstance(value, torch.Tensor) and value.ndim == 2)
    monkeypatch.setattr(device_rows.DeviceRows, "__array__", noted)
    monkeypatch.setattr(device_rows, "AT_ONCE", 1024 * D)  # several blocks
    return fetched


def rows(dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(N, D)) * np.logspace(-2, 2, D) + 3.0).astype(dtype)
    z = (X - X.mean(0)) / X.std(0) @ rng.normal(size=(D, 3)) * 0.5
    return X, z, rng


MODELS = {
    "binary": lambda: lm.LogisticRegression(tol=1e-10),
    "softmax": lambda: lm.LogisticRegression(tol=1e-10),
    "softmax without penalty": lambda: lm.LogisticRegression(np.inf, tol=1e-10),
    "L1": lambda: lm.LogisticRegression(0.1, l1_ratio=1.0, tol=1e-10),
    "ridge": lambda: lm.Ridge(tol=1e-12),
    "huber": lambda: lm.HuberRegressor(tol=1e-10),
    "hinge": lambda: lm.LinearSVC(loss="hinge", tol=1e-8),
    "cross-validation": lambda: lm.LogisticRegressionCV(Cs=3, cv=3, tol=1e-9),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_answers_are_those_of_the_host(there, name, dtype):
    X, z, rng = rows(dtype)
    if name in ("ridge", "huber"):
        y = z[:, 0] + rng.normal(size=len(z))
    elif "softmax" in name:
        y = np.argmax(z + rng.gumbel(size=z.shape), 1)
    else:
        y = (z[:, 0] + rng.logistic(size=len(z)) > 0).astype(int)
    here, far = MODELS[name]().fit(X, y), MODELS[name]().fit(torch.from_numpy(X), torch.from_numpy(y))
    assert far.result_.status == here.result_.status == "converged"
    assert far.result_.objective == pytest.approx(here.result_.objective, rel=1e-8)
    np.testing.assert_allclose(far.coef_ * X.std(0), here.coef_ * X.std(0), atol=2e-3 if name == "hinge" else 2e-4)
    np.testing.assert_array_equal(far.predict(torch.from_numpy(X))[:50].shape, here.predict(X)[:50].shape)
    np.testing.assert_allclose(far.predict(torch.from_numpy(X)), far.predict(X), rtol=1e-4, atol=1e-4)
    if "softmax" in name or name == "binary":
        assert there
        assert max(there) <= X.size * 0.75  # the sample of a preconditioner, not X


def test_half_precision_and_whole_numbers_are_converted_there(there):
    X, z, _ = rows(np.float32)
    y = z[:, 0] > 0.1
    whole = torch.from_numpy(X).round().int()
    assert lm.Ridge().fit(whole, z[:, 0]).result_.status == "converged"
    assert lm.LogisticRegression().fit(torch.from_numpy(X).bfloat16(), y).result_.status == "converged"
    assert device_rows.of(torch.ones(2, 2).bfloat16()).dtype == np.float32


def test_bad_input_is_named(there):
    X, z, _ = rows(np.float32)
    bad = torch.from_numpy(X.copy())
    bad[2017, 5] = float("nan")
    with pytest.raises(ValueError, match="NaN in column 5, first in row 2017"):
        lm.Ridge().fit(bad, z[:, 0])
    model = lm.Ridge().fit(torch.from_numpy(X), z[:, 0])
    with pytest.raises(ValueError, match="12 features"):
        model.predict(torch.from_numpy(X[:, :4].copy()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_tensor_on_a_gpu_stays_there():
    X, z, rng = rows(np.float32)
    y = np.argmax(z + rng.gumbel(size=z.shape), 1)
    here = lm.LogisticRegression(tol=1e-8).fit(X, y)
    far = lm.LogisticRegression(tol=1e-8).fit(torch.from_numpy(X).cuda(), y)
    assert far.result_.status == "converged"
    assert far.result_.objective == pytest.approx(here.result_.objective, rel=1e-6)
