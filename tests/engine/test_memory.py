"""A fused step allocates at most 64 MiB, or three times the largest tensor."""

import pytest
import torch

from gradwright import Adafactor, AdamW, Lamb, Muon, Tiger, cautious

pytestmark = pytest.mark.usefixtures("compiler")

LIMIT = 64 * 2**20


def peak_of(function):
    """The most bytes of torch tensors that were alive at once, beyond those before."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        function()
    alive = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            alive += event.nbytes()
            peak = max(peak, alive)
    return peak


def test_the_measure_itself():
    assert peak_of(lambda: None) < 2**20
    assert 12 * 2**20 <= peak_of(lambda: torch.ones(2**20) + torch.ones(2**20)) < 14 * 2**20
    assert 4 * 2**20 <= peak_of(lambda: [torch.ones(2**20).sum() for _ in range(9)]) < 6 * 2**20


@pytest.mark.parametrize(
    "recipe",
    [AdamW, Lamb, Adafactor, cautious(AdamW), Tiger, pytest.param(Muon, marks=pytest.mark.slow)],
    ids=lambda recipe: recipe.recipe_name,
)
def test_a_step_in_bounded_memory(recipe):
    # 96 MiB in all, of which no step may hold a copy
    params = [torch.zeros(64, 4096, requires_grad=True) for _ in range(80)] + [
        torch.zeros(4096, 1024, requires_grad=True)
    ]
    optimizer = recipe(params, engine="cpp")
    for param in params:
        param.grad = torch.ones_like(param)
    peak_of(optimizer.step)
    assert peak_of(optimizer.step) <= LIMIT


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param([(512, 512)] * 64, id="64 of 512 x 512"),
        pytest.param([(1024, 1024)] * 16, marks=pytest.mark.slow, id="16 of 1024 x 1024"),
        pytest.param([(64, 64)] * 4000, marks=pytest.mark.slow, id="4000 of 64 x 64"),
        pytest.param([(1024, 1024)] * 32, marks=pytest.mark.slow, id="32 of 1024 x 1024"),
        pytest.param([(2304, 2304)], marks=pytest.mark.slow),
        pytest.param([(4096, 2048)], marks=pytest.mark.slow),
        pytest.param([(8192, 1024), (1024, 8192)], marks=pytest.mark.slow),
        pytest.param([(16, 512, 1024)], marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_plain_torch_between_kernels_in_bounded_memory(shapes):
    """However many matrices there are; a matrix that is large by itself is worked on in its place."""
    params = [torch.zeros(shape, requires_grad=True) for shape in shapes]
    optimizer = Muon(params, engine="cpp")
    for param in params:
        param.grad = torch.ones_like(param)
    assert peak_of(optimizer.step) <= max(LIMIT, 3 * max(param.nbytes for param in params))


def test_gradients_that_are_copied_are_not_all_copied_at_once():
    params = [torch.zeros(1024, 1024, requires_grad=True) for _ in range(24)]
    optimizer = AdamW(params, engine="cpp")
    row = torch.ones(1, 1024)
    for param in params:
        param.grad = row.expand(1024, 1024)
    assert peak_of(optimizer.step) <= LIMIT
