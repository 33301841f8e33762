"""NaN, infinity and the smallest numbers travel through kernels as they do through eager."""

import math

import pytest
import torch

from gradwright import AdamW
from tests.engine.pair import Pair, apart, distance, leaves
from tests.engine.parts import Does, recipe_of
from tests.engine.rows import FIRST, params
from tests.engine.test_agreement import served

pytestmark = pytest.mark.usefixtures("compiler")

ODD = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-40, -1e-45, 1e38, -3e38, 1.0)


def agree(pair):
    for name, mine, its in pair.tensors():
        assert distance(mine, its) < 1e-5, f"{name}: {apart(mine, its)}"


@pytest.mark.parametrize("row", params(FIRST))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e-40, 3e38], ids=str)
def test_one_entry_of_a_gradient(row, value):
    pair = Pair(row.recipe, served(row, torch.float32), **row.knobs).step()
    grads = pair.gradients()
    for grad in grads:
        grad.reshape(-1)[grad.numel() // 2] = value
    pair.step(grads)
    agree(pair)
    pair.step()
    agree(pair)


@pytest.mark.parametrize("row", params(FIRST))
def test_gradients_of_nothing_but_zero(row):
    pair = Pair(row.recipe, served(row, torch.float32), **row.knobs)
    for _ in range(2):
        pair.step([torch.zeros_like(grad) for grad in pair.gradients()])
        agree(pair)


OPERATIONS = {
    "sign": lambda u, p: torch.sign(u),
    "abs": lambda u, p: u.abs(),
    "sqrt": lambda u, p: torch.sqrt(u),
    "maximum": lambda u, p: torch.maximum(u, p),
    "minimum": lambda u, p: torch.minimum(u, p),
    "clamp": lambda u, p: torch.clamp(u, min=-1.0, max=1.0),
    "divide": lambda u, p: u / p,
    "divide by a number": lambda u, p: u / 3.0,
    "where": lambda u, p: torch.where(u > p, u, p),
    "equal": lambda u, p: torch.where(u == p, 1.0, 2.0) * u,
    "not equal": lambda u, p: torch.where(u != p, 1.0, 2.0) * u,
    "not greater": lambda u, p: torch.where(~(u > p), 1.0, 2.0) * u,
    "isnan": lambda u, p: torch.where(torch.isnan(u), p, u),
    "isfinite": lambda u, p: torch.where(torch.isfinite(u), u, p),
    "amax": lambda u, p: u / u.amax(),
    "sum": lambda u, p: u / u.sum(),
    "exp": lambda u, p: torch.exp(u),
    "log": lambda u, p: torch.log(u),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    "dtype",
    [pytest.param(torch.float32, id="float32"), pytest.param(torch.float64, id="float64", marks=pytest.mark.slow)],
)
def test_every_operation_on_every_odd_pair(name, dtype):
    pairs = torch.tensor([(x, y) for x in ODD for y in ODD], dtype=dtype)

    def make():
        return [pairs[:, 0].clone().requires_grad_()]

    with recipe_of(Does(lambda u, state, ctx: (OPERATIONS[name](u, ctx.param), state))) as recipe:
        pair = Pair(recipe, make, lr=1.0)
        pair.step([pairs[:, 1].clone()])
    for _, mine, its in pair.tensors():
        same = torch.isclose(mine, its, rtol=1e-6, atol=0.0, equal_nan=True)
        wrong = [(*pairs[at].flip(0).tolist(), mine[at].item(), its[at].item()) for at in (~same).nonzero()[:, 0]]
        assert not wrong, f"{name}, as (u, p, found, eager): {wrong[:6]}"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 17, 20000, -1])
def test_a_reduction_sees_an_odd_entry_wherever_it_stands(value, place):
    make = leaves((40001,))

    with recipe_of(Does(lambda u, state, ctx: (u * 0 + u.amax() + 0 * u.sum(), state))) as recipe:
        pair = Pair(recipe, make)
        grads = pair.gradients()
        grads[0][place] = value
        pair.step(grads)
        agree(pair)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_half_types_round_and_overflow_as_torch_does(dtype):
    values = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(dtype)

    with recipe_of(Does(lambda u, state, ctx: (u - ctx.param * 1.01, state))) as recipe:
        pair = Pair(recipe, lambda: [torch.zeros_like(values).requires_grad_()], lr=1.0)
        pair.step([values])
        ((_, mine, its),) = pair.tensors()
        torch.testing.assert_close(mine, its, rtol=0, atol=0, equal_nan=True)
        pair.step([values.flip(0) / 3])
        ((_, mine, its),) = pair.tensors()
        torch.testing.assert_close(mine, its, rtol=0, atol=0, equal_nan=True)


def test_the_smallest_numbers_are_not_flushed():
    tiny = torch.tensor([1e-40, -1e-45, 1e-39])

    with recipe_of(Does(lambda u, state, ctx: (u, state))) as recipe:
        pair = Pair(recipe, lambda: [torch.zeros(3).requires_grad_()], lr=1.0)
        pair.step([tiny])
        assert torch.equal(pair.params(pair.fused)[0].detach(), -tiny)
    Pair(AdamW, leaves((4,))).step()
    assert (torch.tensor(1e-40) * 1).item() != 0.0
    assert (torch.tensor([1e-40] * 64) * 0.5 != 0).all()
    assert 5e-324 * 1.0 != 0.0
