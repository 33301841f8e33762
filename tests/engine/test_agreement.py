"""Every recipe takes the steps of eager on the C++ engine, in every type."""

import pytest
import torch

from gradwright.contract.training import accepts
from tests.contract.table import COMBINED, FIRST, PLAIN, ROWS
from tests.engine.pair import Pair, leaves, ulps
from tests.engine.rows import LIKE_ANOTHER, SAMPLE, params

pytestmark = pytest.mark.usefixtures("compiler")

FAST = tuple(row for row in (*PLAIN, *COMBINED) if row.recipe.recipe_name not in LIKE_ANOTHER)
SHAPES = ((33, 7), (5,), (), (3, 4, 2, 2), (129, 130), (5, 6, 4), (7, 33))
WIDE = (torch.float64, torch.float32)
HALF = (torch.bfloat16, torch.float16)


def test_what_is_left_to_the_slow_tests_is_like_something_that_is_not():
    names = {row.recipe.recipe_name for row in FIRST}
    assert LIKE_ANOTHER.keys() <= names
    assert set(LIKE_ANOTHER.values()) <= {row.recipe.recipe_name for row in FAST}


def served(row, dtype):
    """Leaves of those shapes that the recipe takes."""
    taken = [shape for shape in SHAPES if accepts(row.recipe, row.knobs, torch.ones(shape).requires_grad_())]
    return leaves(*taken, dtype=dtype)


def cancels(row):
    """Whether a multiplier engages at once, as a difference of sums that cancel: only float64 can compare engines."""
    return row.recipe.recipe_name == "AdamCPR" and row.knobs.get("kappa_init_method") == "uniform"


def largest_error_of_a_step(row, dtype, steps=6):
    """In ulps; each step starts where eager stands."""
    pair, worst = Pair(row.recipe, served(row, dtype), **row.knobs), 0.0
    for _ in range(steps):
        pair.synchronise()
        before = pair.before()
        pair.step()
        for (_, mine, its), old in zip(pair.tensors(), before):
            if its.dtype == torch.float64 != dtype:  # a shared value, as exact as the sums of float32 behind it
                mine, its, old = mine.float(), its.float(), old.float()
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
        *cases(FAST, [torch.float32]),
        *cases(SAMPLE, [torch.float64, torch.bfloat16]),
        *cases(SAMPLE[:2], [torch.float16]),
        *cases(SAMPLE[2:], [torch.float16], pytest.mark.slow),
        *cases([row for row in ROWS if row not in SAMPLE], [torch.float64, *HALF], pytest.mark.slow),
        *cases([row for row in ROWS if row not in FAST and not cancels(row)], [torch.float32], pytest.mark.slow),
    ],
)
def test_one_step_agrees_to_the_last_places(row, dtype):
    usual = 4 if "elementwise" in row.recipe.spec.traits else 64
    assert largest_error_of_a_step(row, dtype) <= (row.ulps or usual)


@pytest.mark.parametrize(
    ("row", "dtype"),
    [
        *cases(SAMPLE, [torch.float32]),
        *cases([row for row in ROWS if row not in SAMPLE], [torch.float32], pytest.mark.slow),
        *cases(ROWS, [torch.float64], pytest.mark.slow),
    ],
)
def test_fifty_steps_agree(row, dtype):
    Pair(row.recipe, served(row, dtype), **row.knobs).steps(50).close(1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("row", params(FIRST))
def test_the_number_of_threads_does_not_matter(row):
    """But for what plain torch does, whose products and factorisations do depend on it."""
    make = leaves((300, 257), (257, 300), (64, 48, 3, 3), (8, 8))
    alone, together = (row.recipe(make(), engine="cpp", **row.knobs) for _ in range(2))
    for time in range(2):
        for threads, optimizer in ((1, alone), (2, together)):
            torch.set_num_threads(threads)
            for index, param in enumerate(optimizer.param_groups[0]["params"]):
                param.grad = torch.randn(param.shape, generator=torch.Generator().manual_seed(10 * time + index))
            optimizer.step(loss=1.0)
    (dispatch,) = alone._dispatch.groups.values()
    links = {at for batch in dispatch.batches if batch.kind._found[0].program.links for at in batch.members.tolist()}
    plain = links | set(dispatch.eager)
    pairs = zip(alone.param_groups[0]["params"], together.param_groups[0]["params"])
    for one, two in (pair for index, pair in enumerate(pairs) if index not in plain):
        assert torch.equal(one, two)
        for key, value in alone.state[one].items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(together.state[two][key])), key
