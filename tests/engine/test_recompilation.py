"""What changes from step to step is an argument of the kernel, so that nothing is compiled twice."""

import pytest
import torch

from gradwright import AdamW, Lion, NAdam, ScheduleFreeAdamW, Tiger, lookahead
from tests.engine.pair import Pair, leaves

pytestmark = pytest.mark.usefixtures("compiler")

SHAPES = ((6, 4), (5,), ())


def test_settings_that_change_at_every_step(compilations):
    pair = Pair(AdamW, leaves(*SHAPES), weight_decay=0.0).steps(2)
    del compilations[:]
    for time in range(1, 20):
        betas = (0.9 - time / 100, 0.99 - time / 1000)
        pair.step(lr=0.1 / time, betas=betas, weight_decay=0.01 * (time % 3), eps=10.0**-time)
    assert not compilations
    pair.close()


@pytest.mark.parametrize("recipe", [Lion, NAdam, ScheduleFreeAdamW], ids=lambda r: r.recipe_name)
def test_a_schedule(recipe, compilations):
    optimizer = recipe(leaves(*SHAPES)(), lr=0.1, engine="cpp")
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=40)
    for time in range(30):
        for param in optimizer.param_groups[0]["params"]:
            param.grad = torch.ones_like(param)
        optimizer.step()
        schedule.step()
        if time == 3:
            del compilations[:]
    assert not compilations


@pytest.mark.parametrize(
    ("recipe", "knobs", "cycle"),
    [
        (lookahead(AdamW), {"k": 3}, 3),
        (Tiger, {"accumulate": 4}, 4),
        pytest.param(lookahead(Tiger), {"k": 2, "accumulate": 3}, 6, marks=pytest.mark.slow),
    ],
    ids=["lookahead", "micro-batches", "both"],
)
def test_cycles_compile_in_the_first_one_only(recipe, knobs, cycle, compilations):
    pair = Pair(recipe, leaves(*SHAPES), **knobs).steps(cycle + 1)
    assert len(compilations) <= 3 * (cycle + 1)
    del compilations[:]
    pair.steps(2 * cycle + 1)
    assert not compilations
    pair.close()


def test_other_tensors_of_known_shapes_compile_nothing(compilations):
    Pair(AdamW, leaves(*SHAPES)).steps(2)
    del compilations[:]
    Pair(AdamW, leaves(*SHAPES, *SHAPES)).steps(2)
    assert not compilations


def test_one_kernel_for_all_shapes_of_an_elementwise_recipe(compilations):
    shapes = [(3,), (4, 5), (2, 3, 4), (5, 4, 3, 2), (1,), (17, 1)]
    Pair(Lion, leaves(*shapes)).step()
    assert len(compilations) <= 1


def test_another_optimizer_of_the_same_recipe_compiles_nothing(compilations):
    for knobs in ({"lr": 0.1}, {"lr": 0.2, "betas": (0.5, 0.6)}, {"weight_decay": 0.3}):
        Pair(AdamW, leaves(*SHAPES), **knobs).steps(2)
    assert len(compilations) <= 1
