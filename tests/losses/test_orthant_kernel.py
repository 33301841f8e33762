"""The compiled probability of EXACT beside the plain one, and where it must stand aside."""

import math
import os
import signal

import pytest
import torch

from gradwright.core import warn
from gradwright.losses import checking, exact
from gradwright.losses.orthant import kernel
from gradwright.losses.orthant.quadrature import gauss_hermite, orthant
from gradwright.losses.pairwise.margins import conditions
from gradwright.native import build

pytestmark = pytest.mark.usefixtures("compiler")
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def _case(classes, labels=1, rows=5, spread=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * spread
    return z, torch.randint(classes, (rows, labels), generator=generator)


def _kernel(z, y, sigma=1.0, margin=None):
    z = z.clone().requires_grad_()
    assert kernel.serves(z)
    p = kernel.probability(z, y, sigma, margin, 128)
    upstream = torch.linspace(-1.0, 2.0, p.numel(), dtype=p.dtype).reshape(p.shape)
    return p.detach(), torch.autograd.grad(p, z, upstream)[0]


def _plain(z, y, sigma=1.0, margin=None, nodes=128):
    z = z.double().requires_grad_()
    p = orthant(conditions(z, y, sigma, margin), nodes)
    upstream = torch.linspace(-1.0, 2.0, p.numel(), dtype=p.dtype).reshape(p.shape)
    return p.detach(), torch.autograd.grad(p, z, upstream)[0]


@BOTH
@pytest.mark.parametrize("margin", [None, 0.6])
@pytest.mark.parametrize("classes", [1, 2, 15, 16, 17, 255, 256, 257, 273, 600])
def test_it_is_the_plain_probability(dtype, classes, margin):
    z, y = _case(classes, labels=3)
    p, slope = _kernel(z.to(dtype), y, 0.7, margin)
    expected, expected_slope = _plain(z.to(dtype), y, 0.7, margin)
    close = {"rtol": 0, "atol": 3e-7} if dtype == torch.float32 else {"rtol": 0, "atol": 1e-11}
    torch.testing.assert_close(p.double(), expected, **close)
    torch.testing.assert_close(slope.double(), expected_slope, rtol=2e-4 if dtype == torch.float32 else 1e-8, atol=1e-7)


@pytest.mark.parametrize("lead", [-3.0, 0.0, 2.36, 3.2, 3.58, 6.0, 9.5])
def test_a_thousand_equal_margins(lead):
    """The worst case: errors of all classes add up. One label after another would round a thousand times alike."""
    z, y = torch.zeros(1, 1000), torch.tensor([[77]])
    z[0, 77] = lead
    p, slope = _kernel(z, y)
    expected, expected_slope = _plain(z, y, nodes=300)
    torch.testing.assert_close(p.double(), expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(slope.double(), expected_slope, rtol=4e-4, atol=1e-8)


@BOTH
def test_scores_far_apart(dtype):
    z = torch.tensor([[1e4, 0.0, -1e4, -math.inf], [30.0, 19.0, 0.0, 5.0]], dtype=dtype)
    y = torch.tensor([[0, 1], [1, 3]])
    p, slope = _kernel(z, y)
    assert p[0].tolist() == pytest.approx([1.0, 0.0], abs=1e-11)
    assert p[1].tolist() == pytest.approx([0.0, 0.0], abs=1e-11)
    assert slope.isfinite().all()


@BOTH
@pytest.mark.parametrize("sigma", [1e-42, 1e-30, 1e30])
def test_extreme_noise(dtype, sigma):
    z, y = torch.tensor([[1.0, 1.0, 0.0]], dtype=dtype), torch.tensor([[0, 2]])
    p, slope = _kernel(z, y, sigma)
    assert p[0].tolist() == pytest.approx([1 / 2, 0.0] if sigma < 1 else [1 / 3, 1 / 3], abs=1e-6)
    assert slope.isfinite().all()


def test_memory_of_soft_targets_is_linear_in_classes():
    kept = []
    z = torch.randn(4, 400, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        exact(z, torch.rand(4, 400).softmax(-1))
    assert sum(kept) < 80 * z.numel()


@BOTH
def test_second_derivatives(dtype):
    z, y = _case(4, labels=2, rows=2)
    z = z.to(dtype).requires_grad_()
    p = kernel.probability(z, y, 0.8, 1.5, 64)
    (slope,) = torch.autograd.grad(p.sum(), z, create_graph=True)
    torch.testing.assert_close(slope, torch.autograd.grad(p.sum(), z)[0], rtol=1e-5, atol=1e-8)
    (bend,) = torch.autograd.grad((slope * slope).sum(), z)
    w = z.detach().double().requires_grad_()
    q = orthant(conditions(w, y, 0.8, 1.5), 64)
    (plain,) = torch.autograd.grad(q.sum(), w, create_graph=True)
    (expected,) = torch.autograd.grad((plain * plain).sum(), w)
    torch.testing.assert_close(bend.double(), expected, rtol=1e-3, atol=1e-5)


@BOTH
def test_what_is_no_number_shows(dtype):
    z, y = _case(40)
    z = z.to(dtype)
    z[1, 3] = math.nan
    z[2, y[2]] = math.nan
    y[3] = 40  # where nothing is checked, memory beyond the row must not be read
    with checking("never"):
        p, slope = _kernel(z, y)
    assert p.isnan().squeeze(-1).tolist() == [False, True, True, True, False]
    assert slope[1:4].isnan().any(-1).all()
    assert slope[[0, 4]].isfinite().all()


def test_any_layout_and_number_of_threads():
    z, y = _case(500, rows=200)
    z = z.float()
    here = exact(z, y.squeeze(-1), reduction="none")
    torch.testing.assert_close(exact(z.T.contiguous(), y.squeeze(-1), dim=0, reduction="none"), here, rtol=0, atol=0)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert torch.equal(exact(z, y.squeeze(-1), reduction="none"), here)
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_threads_it_has_not():
    z, y = _case(500, rows=200)
    z, y = z.float(), y.squeeze(-1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        exact(z, y)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            p = kernel.probability(z, y.unsqueeze(-1), 1.0, None, 128)
            os._exit(0 if p.isfinite().all().item() else 1)
    finally:
        torch.set_num_threads(before)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_a_compiler_plain_torch_does(monkeypatch):
    z, y = _case(30)
    expected = exact(z, y.squeeze(-1))

    def none():
        raise build.NoCompiler("no C++ compiler was found, says the test")

    monkeypatch.setattr(build, "compiler", none)
    monkeypatch.setattr(warn, "_told", set())
    with pytest.warns(UserWarning, match="says the test"):
        torch.testing.assert_close(exact(z, y.squeeze(-1)), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ["eager", "triton"])
def test_another_engine_is_plain_torch(monkeypatch, engine):
    monkeypatch.setenv("GRADWRIGHT_ENGINE", engine)
    assert not kernel.serves(torch.zeros(2, 3))


def test_it_does_not_serve_what_holds_no_values():
    assert not kernel.serves(torch.zeros(2, 3, device="meta"))
    assert not kernel.serves(torch.zeros(2, 3, dtype=torch.bfloat16))
    seen = []
    torch.func.vmap(lambda z: seen.append(kernel.serves(z)) or z)(torch.zeros(2, 3))
    assert seen == [False]


@pytest.mark.parametrize("nodes", [2, 7, 128, 512])
def test_gauss_hermite_rules_meet_moments(nodes):
    t, w = (torch.tensor(x, dtype=torch.float64) for x in gauss_hermite(nodes, torch.float64))
    for power, moment in ((0, 1.0), (1, 0.0), (2, 1.0), (4, 3.0 if nodes > 2 else 1.0)):
        assert (w * t**power).sum().item() == pytest.approx(moment, abs=1e-12)
