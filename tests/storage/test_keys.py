"""Keys of random bits: rows of a table, and micro-batches in state, have bits of their own."""

from __future__ import annotations

import pytest
import torch

import gradwright as gw
from gradwright.contract.training import noise
from gradwright.core.blockwise import Companded
from gradwright.training import release
from tests.storage.runs import FORMATS

RECIPES = (gw.AdamW, gw.Lion, gw.ScheduleFreeAdamW)
ROWS = [1, 4, 5]


def table(dtype):
    return noise(1, (7, 40)).to(dtype).requires_grad_()


def stepped(recipe, formats, gradients):
    """A table and its arrays after steps on these gradients."""
    dtype, state, weights = formats
    weight = table(dtype)
    optimizer = recipe([weight], lr=0.01, state=state, weights=weights, engine="eager")
    for gradient in gradients:
        weight.grad = gradient
        optimizer.step()
    arrays = {name: value for name, value in optimizer.state[weight].items() if isinstance(value, torch.Tensor)}
    return {"weights": weight.detach(), **arrays}


def some_rows(dtype, step, rows=ROWS):
    values = noise(10 + step, (7, 40)).to(dtype)[rows]
    return torch.sparse_coo_tensor(torch.tensor([rows]), values, (7, 40), check_invariants=True)


@pytest.mark.parametrize("formats", FORMATS, ids=lambda one: "-".join(map(str, one)))
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: one.recipe_name)
def test_a_row_has_the_bits_that_it_has_when_all_rows_step(recipe, formats):
    dtype = formats[0]
    first = some_rows(dtype, 0, list(range(7)))  # the table is stepped by rows from here on
    few = stepped(recipe, formats, [first, *(some_rows(dtype, step) for step in (1, 2))])
    every = stepped(recipe, formats, [first, *(some_rows(dtype, step, list(range(7))) for step in (1, 2))])
    one = stepped(recipe, formats, [first])
    rest = [row for row in range(7) if row not in ROWS]
    for name, value in few.items():
        assert torch.equal(value[ROWS], every[name][ROWS]), name
        assert torch.equal(value[rest], one[name][rest]), f"{name} of rows that rest"


@pytest.mark.parametrize("formats", FORMATS, ids=lambda one: "-".join(map(str, one)))
def test_a_sparse_gradient_with_all_rows_makes_the_codes_of_a_dense_one(formats):
    dtype = formats[0]
    rows = stepped(gw.Lion, formats, [some_rows(dtype, step, list(range(7))) for step in range(3)])
    dense = stepped(gw.Lion, formats, [noise(10 + step, (7, 40)).to(dtype) for step in range(3)])
    assert all(torch.equal(rows[name], value) for name, value in dense.items())


def gathered(engine):
    """The arrays after a step on micro-batches that are gathered in the momentum."""
    module = torch.nn.ParameterList([table(torch.float32), noise(2, (40,))])
    optimizer = gw.SGD(module.parameters(), lr=0.1, momentum=0.9, dampening=0.5, state="8bit", engine=engine)
    for step in range(2):
        with release(module, optimizer, hold=0) as released:
            for part in range(3):
                with released.accumulating():
                    sum((noise(20 + 5 * step + part, one.shape) * one).sum() for one in module).backward()
            sum((noise(24 + 5 * step, one.shape) * one).sum() for one in module).backward()
        optimizer.step()
    return [one for param in module for one in (param, *optimizer.state[param].values())]


def test_every_rounding_of_a_step_has_a_key_of_its_own(monkeypatch):
    keys, encode = [], Companded.encode
    monkeypatch.setattr(
        Companded, "encode", lambda self, values, key=0: (keys.append(key), encode(self, values, key))[1]
    )
    gathered("eager")
    assert len(keys) == 2 * 2 * 4
    assert len(set(keys)) == len(keys)


def test_engines_gather_the_same_codes(compiler):
    for one, other in zip(gathered("eager"), gathered("cpp")):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))
