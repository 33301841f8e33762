"""The functions of kernels that are not the compiler's own: accuracy, special values, and the same for every entry."""

from __future__ import annotations

import math

import pytest
import torch

from gradwright.core.ops import softplus
from tests.engine.pair import left_to_eager
from tests.engine.parts import Does, recipe_of

pytestmark = pytest.mark.usefixtures("compiler")

INF, NAN = math.inf, math.nan
SPECIAL = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 1e-45, -1e-45, 1e-39, 3e38, -3e38, 88.7, 89.0, -88.0, -104.0, 20.0]

FUNCTIONS = {
    torch.exp: 1.0,
    torch.log: 1.0,
    torch.log1p: 2.5,
    torch.sigmoid: 2.5,
    softplus: 3.0,
}
"""Units in the last place that each may be off in single precision."""


def values(dtype):
    drawn = torch.randn(40_003, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scales = torch.logspace(-6, 1.8, len(drawn), dtype=torch.float64)
    return torch.cat([torch.tensor(SPECIAL, dtype=torch.float64), drawn * scales, 1 + 0.3 * drawn]).to(dtype)


def through_kernel(function, grad):
    """What a kernel makes of ``function``: weights of zero from which it is subtracted with a size of one."""
    with recipe_of(Does(lambda u, state, ctx: (function(u), state))) as recipe:
        param = torch.zeros_like(grad).requires_grad_()
        param.grad = grad
        optimizer = recipe([param], lr=1.0, engine="cpp")
        optimizer.step()
        assert left_to_eager(optimizer) == 0
    return -param.detach()


def off_by(found, exact):
    """The largest error in units in the last place; NaN and infinity must stand where they should."""
    rounded = exact.to(found.dtype)
    assert torch.equal(found.isnan(), rounded.isnan())
    endless = rounded.isinf()
    assert torch.equal(found[endless], rounded[endless])
    usual = rounded.abs().ge(torch.finfo(found.dtype).tiny) & ~endless & ~rounded.isnan()
    place = torch.finfo(found.dtype).eps * torch.exp2(torch.frexp(rounded[usual].double()).exponent.double() - 1)
    return float(((found.double() - exact.double())[usual].abs() / place).max())


@pytest.mark.parametrize(("function", "bound"), FUNCTIONS.items(), ids=lambda one: getattr(one, "__name__", None))
def test_single_precision_is_right_to_the_last_places(function, bound):
    x = values(torch.float32)
    assert off_by(through_kernel(function, x), function(x.double())) <= bound


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_double_precision_is_torchs(function):
    x = values(torch.float64)
    assert off_by(through_kernel(function, x), function(x)) <= 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_atan2_is_right_for_all_pairs_of_special_values(dtype):
    y, x = torch.meshgrid(values(dtype)[:500], values(dtype)[:500], indexing="ij")
    with recipe_of(Does(lambda u, state, ctx: (torch.atan2(u, ctx.param), state))) as recipe:
        param = x.clone().requires_grad_()
        param.grad = y.contiguous()
        recipe([param], lr=1.0, engine="cpp").step()
    found, exact = x - param.detach(), torch.atan2(y.double(), x.double())
    kept = x.isfinite() & (x.abs() < 1)  # where the weight does not swallow the angle
    gap = (found.double() - exact)[kept & exact.isfinite()].abs().max()
    assert gap <= 4 * torch.finfo(dtype).eps


def test_the_last_entries_of_a_tensor_round_as_all_others():
    """Vector code and what is left over at the end run the same operations."""
    x = values(torch.float32)[len(SPECIAL) :]
    for function in FUNCTIONS:
        whole = through_kernel(function, x)
        for length in (1, 7, 37, 1023):
            assert torch.equal(through_kernel(function, x[:length].clone()).nan_to_num(), whole[:length].nan_to_num())


@pytest.mark.parametrize("x", [-800.0, -1.0, 0.0, 1.0, 800.0])
def test_softplus_of_a_number_and_of_a_tensor_agree(x):
    assert softplus(x) == pytest.approx(float(softplus(torch.tensor(x, dtype=torch.float64))), rel=1e-14)
