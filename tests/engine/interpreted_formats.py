"""Formats of storage in Triton's interpreter: kernels make the codes that plain torch makes. See `interpreted.py`."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from gradwright import AdamW, Lion
from gradwright.core.blockwise import Companded
from gradwright.engine.triton import storage
from tests.engine.interpreted import pytestmark as pytestmark
from tests.engine.pair import left_to_eager
from tests.engine.rows import fused
from tests.storage.runs import ALL, AT_A_BORDER, FORMATS, Run, agree, differing

SHAPES = ((6, 64), (4, 45), (33,), (4, 3, 3, 3), (), (1,), (2, 544), (40, 1))
"""Lines of whole groups and others, in whole blocks and under a mask."""
TILES = ((4, 45), (9, 320), (9, 290), (3, 2, 40))
"""Matrices of more than a tile."""
SMALL = ((4, 45), (33,), (4, 3, 3, 3), ())
FAST = {
    ("AdamW", FORMATS[0]),
    ("AdamW", FORMATS[7]),
    ("Adafactor", FORMATS[2]),
    ("Lion", FORMATS[3]),
    ("ScheduleFreeAdamW", FORMATS[4]),
}
"""What is not slow: each format and each way to cut a tensor once."""


def cases():
    """Recipes in formats: those of the sample, and slow ones."""
    for row, formats in product(fused(ALL), FORMATS):
        name = "-".join((str(row), str(formats[0]).removeprefix("torch."), *formats[1:]))
        fast = (row.recipe.recipe_name, formats) in FAST and not row.knobs.get("amsgrad")
        yield pytest.param(row, formats, id=name, marks=() if fast else pytest.mark.slow)


@pytest.mark.parametrize(("row", "formats"), list(cases()))
def test_formats_agree(row, formats):
    shapes = TILES if "matrix" in row.recipe.spec.traits or row.recipe.recipe_name == "Adafactor" else SHAPES
    mine, its = Run(row, *formats, engine="triton", shapes=shapes), Run(row, *formats, shapes=shapes)
    for _ in range(3):
        gradients = mine.gradients(its.params)
        mine.step_on(gradients)
        its.step_on(gradients)
    if row.recipe.recipe_name not in AT_A_BORDER:
        agree(mine, its)
    if row.recipe.recipe_name in ("AdamW", "Lion", "ScheduleFreeAdamW"):
        assert left_to_eager(mine.optimizer) == 0


def lion(formats, engine):
    (row,) = (one for one in ALL if one.recipe is Lion and not one.knobs)
    return Run(row, *formats, engine=engine, shapes=SMALL)


@pytest.mark.parametrize(
    "bad", [math.nan, *(pytest.param(bad, marks=pytest.mark.slow) for bad in (math.inf, -math.inf))], ids=str
)
@pytest.mark.parametrize("formats", [FORMATS[2], FORMATS[3], FORMATS[7]], ids=lambda one: "-".join(one[1:]))
def test_what_is_not_finite_is_held_alike(formats, bad):
    mine, its = lion(formats, "triton"), lion(formats, "eager")
    for _ in range(2):
        gradients = its.gradients()
        for gradient in gradients:
            gradient.view(-1)[gradient.numel() // 2] = bad
        mine.step_on(gradients)
        its.step_on(gradients)
    mine, its = mine.arrays(), its.arrays()
    assert all(torch.equal(one.isnan(), mine[name].isnan()) for name, one in its.items())
    assert not differing(*({name: one.nan_to_num() for name, one in run.items()} for run in (mine, its)))


def trusted(optimizer, monkeypatch, **wrong):
    """Whether kernels are used whose loads and stores are printed with something wrong in them."""
    monkeypatch.setattr("gradwright.engine.specialize._made", {})
    monkeypatch.setattr("gradwright.engine.specialize._known", {})
    for name, value in wrong.items():
        monkeypatch.setattr(storage, name, value)
    (param,) = optimizer.param_groups[0]["params"]
    param.grad = torch.ones_like(param)
    optimizer.step()
    return left_to_eager(optimizer) == 0


def test_kernels_with_codes_are_tried_beside_plain_torch(monkeypatch):
    def made():
        return AdamW([torch.ones(4, 64, requires_grad=True)], state="8bit", engine="triton")

    assert trusted(made(), monkeypatch)
    with pytest.warns(UserWarning, match="failed their trial: .* is rounded otherwise than plain torch does"):
        assert not trusted(made(), monkeypatch, salt_of=lambda name: 77)
    row = storage.ACCESS[Companded]

    def moved(kind):
        how = row(kind)
        return storage.Access(how.types, how.suffixes, "widen_square", how.narrow, how.random, how.grouped)

    with pytest.warns(UserWarning, match="failed their trial"):
        assert not trusted(made(), monkeypatch, ACCESS={**storage.ACCESS, Companded: moved})
