"""Every recipe against an independent implementation in numpy."""

import numpy as np
import pytest
import torch

import gradwright
from gradwright.optimizer.recipe import registry
from tests.parity.rows import FAST, ROWS, Row
from tests.runs import distance, follow, gradients, normals, run

STEPS = 50
HALF_TYPES = (torch.bfloat16, torch.float16)

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def problem(row: Row, steps: int = STEPS):
    """Starts and gradients, float32 numbers so that both precisions begin alike, and losses."""
    starts = [np.float32(p).astype(np.float64) for p in normals(row.shapes, seed=3)]
    walk = [[np.float32(g).astype(np.float64) for g in step] for step in gradients(row.shapes, steps, seed=4)]
    for t in row.nan_at:
        for g in walk[t - 1] if t <= steps else ():
            g[(0,) * g.ndim] = np.nan
    losses = list(np.linspace(2.3, 0.4, steps) + 0.2 * np.sin(np.arange(steps)))
    return starts, walk, losses if row.needs_loss else None


def wandering(lr: float):
    """A learning rate that changes at every step, up and down."""
    return lambda t: {"lr": lr * (0.4 + (t % 7) / 7)}


def largest_distance(row: Row, dtype: torch.dtype, steps: int = STEPS) -> float:
    starts, walk, losses = problem(row, steps)
    changes = wandering(row.all_knobs["lr"])
    roles = None if row.role is None else [row.role] * len(starts)
    found = run(row.recipe, starts, walk, dtype=dtype, roles=roles, losses=losses, changes=changes, **row.knobs).history
    distances = []
    for index, start in enumerate(starts):
        own = [step[index] for step in walk]
        expected = follow(row.method, start, own, losses=losses, changes=changes, **row.all_knobs)
        distances += [distance(found[t][index], expected[t]) for t in range(steps)]
    return max(distances)


@each_row
def test_float64_follows_the_equations_to_1e_12(row):
    assert largest_distance(row, torch.float64) < 1e-12


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.name, marks=() if row in FAST else pytest.mark.slow) for row in ROWS],
)
def test_float32_stays_within_1e_5_of_the_equations(row):
    assert largest_distance(row, torch.float32) < 1e-5


@pytest.mark.parametrize("dtype", HALF_TYPES, ids=str)
@each_row
def test_a_half_precision_step_is_the_float32_step_rounded_once(row, dtype):
    starts, walk, losses = problem(row, steps=1)
    rounded = [torch.tensor(p).to(dtype).float().numpy() for p in starts]
    step = [[torch.tensor(g).to(dtype).float().numpy() for g in walk[0]]]
    knobs = {**row.knobs, "lr": 0.3}  # large, so that rounding has something to round
    settings = {"losses": losses, "roles": None if row.role is None else [row.role] * len(starts), **knobs}
    half = run(row.recipe, rounded, step, dtype=dtype, **settings)
    full = run(row.recipe, rounded, step, dtype=torch.float32, **settings)
    for narrow, wide in zip(half.params, full.params):
        assert torch.equal(narrow, wide.to(dtype))
        for key, value in full.optimizer.state[wide].items():
            if isinstance(value, torch.Tensor):
                kept = half.optimizer.state[narrow][key]
                assert torch.equal(kept, value.to(kept.dtype)), key


def test_every_public_recipe_has_a_row():
    public = {name for name in gradwright.__all__ if name in registry}
    assert public <= {row.recipe.recipe_name for row in ROWS}
