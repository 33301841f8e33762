"""Every recipe takes the steps of eager on the C++ engine, in every type."""

import pytest
import torch

from gradwright.contract.training import accepts
from tests.contract.table import ROWS
from tests.engine.pair import Pair, leaves, ulps

pytestmark = pytest.mark.usefixtures("compiler")

SHAPES = ((33, 7), (5,), (), (3, 4, 2, 2), (129, 130), (5, 6, 4), (7, 33))
FIRST = tuple({row.recipe: row for row in reversed(ROWS)}.values())
WIDE = (torch.float64, torch.float32)
SAMPLE = tuple({row.recipe.formula.traits: row for row in reversed(ROWS)}.values())[-6:]
"""Some rows that differ in kind, for types that the slow tests try on all."""
HALF = (torch.bfloat16, torch.float16)


def served(row, dtype):
    """Leaves of those shapes that the recipe takes."""
    taken = [shape for shape in SHAPES if accepts(row.recipe, row.knobs, torch.ones(shape).requires_grad_())]
    return leaves(*taken, dtype=dtype)


def largest_error_of_a_step(row, dtype, steps=6):
    """In ulps; each step starts where eager stands."""
    pair, worst = Pair(row.recipe, served(row, dtype), **row.knobs), 0.0
    for _ in range(steps):
        pair.synchronise()
        before = pair.before()
        pair.step()
        for (_, mine, its), old in zip(pair.tensors(), before):
            worst = max(worst, ulps(mine, its, old))
    return worst


def cases(rows, dtypes, *marks):
    return [
        pytest.param(row, dtype, id=f"{row}-{str(dtype).removeprefix('torch.')}", marks=marks)
        for row in rows
        for dtype in dtypes
    ]


@pytest.mark.parametrize(
    ("row", "dtype"),
    [
        *cases(FIRST, [torch.float32]),
        *cases(SAMPLE, [torch.float64, *HALF]),
        *cases([row for row in ROWS if row not in SAMPLE], [torch.float64, *HALF], pytest.mark.slow),
    ],
)
def test_one_step_agrees_to_the_last_places(row, dtype):
    elementwise = "elementwise" in row.recipe.formula.traits
    assert largest_error_of_a_step(row, dtype) <= (4 if elementwise else 64)


@pytest.mark.parametrize(
    ("row", "dtype"), cases(ROWS, [torch.float32]) + cases(ROWS, [torch.float64], pytest.mark.slow)
)
def test_fifty_steps_agree(row, dtype):
    Pair(row.recipe, served(row, dtype), **row.knobs).steps(50).close(1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("row", FIRST, ids=str)
def test_the_number_of_threads_does_not_matter(row):
    make = leaves((300, 257), (257, 300), (64, 48, 3, 3), (8, 8))
    alone, together = (row.recipe(make(), engine="cpp", **row.knobs) for _ in range(2))
    for time in range(2):
        for threads, optimizer in ((1, alone), (2, together)):
            torch.set_num_threads(threads)
            for index, param in enumerate(optimizer.param_groups[0]["params"]):
                param.grad = torch.randn(param.shape, generator=torch.Generator().manual_seed(10 * time + index))
            optimizer.step(loss=1.0)
    for one, two in zip(alone.param_groups[0]["params"], together.param_groups[0]["params"]):
        assert torch.equal(one, two)
        for key, value in alone.state[one].items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(together.state[two][key])), key
