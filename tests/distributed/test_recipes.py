"""Every recipe on parameters that are spread over ranks does what it does in one process."""

from __future__ import annotations

from functools import partial
from itertools import cycle

import pytest
import torch
import torch.distributed as dist

import gradwright as gw
from tests.contract.table import FIRST, ROWS
from tests.families.kinds import Contract

pytestmark = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch was built without gloo"
)

if dist.is_available():
    from tests.distributed.ranks import beside_one_process, beside_twenty_steps, run

SAMPLE = (
    Contract(gw.AdamW),
    Contract(gw.clipped(gw.AdamW)),
    Contract(gw.Lamb),
    Contract(gw.Adafactor),
    Contract(gw.SM3),
    Contract(gw.SOAP),
    Contract(gw.Muon),
    Contract(gw.NorMuon),
    Contract(gw.Prodigy),
    Contract(gw.DAdaptAdam),
    Contract(gw.DoG),
    Contract(gw.LDoG),
    Contract(gw.AdaLo),
    Contract(gw.ScheduleFreeAdamW),
)
"""Each way of reading a spread tensor, each kind of state, of totals and of shared values."""


def same(cases, folder, limit=1e-6, **on):
    found = run(folder, cases, **on)
    off = {name: ends for name, ends in found.items() if not all(isinstance(e, float) and e < limit for e in ends)}
    assert not off, "\n".join(f"{name}: {ends[0]}" for name, ends in off.items())


def few_steps(pairs):
    return {f"{row} {how}": partial(beside_one_process, row.recipe, row.knobs, how) for row, how in pairs}


def many_steps(rows, how, dtype):
    return {str(row): partial(beside_twenty_steps, row.recipe, row.knobs, how, dtype=dtype) for row in rows}


def test_a_sample_of_recipes(tmp_path):
    same(few_steps(zip(SAMPLE, cycle(("sharded", "mixed")))), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sharded", "mixed", "columns", "rows"])
def test_every_recipe(how, tmp_path):
    same(few_steps((row, how) for row in FIRST), tmp_path)


@pytest.mark.slow
def test_every_form(tmp_path):
    same(few_steps((row, "mixed") for row in ROWS if row not in FIRST), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ranks", "shape", "how"),
    [(4, None, "sharded"), (4, (2, 2), "sharded"), (2, None, "columns"), (2, None, "rows")],
    ids=["FSDP2 on four", "HSDP two by two", "columns on two", "rows on two"],
)
def test_twenty_steps_in_double_with_a_frozen_bias_and_a_layer_at_rest(ranks, shape, how, tmp_path):
    same(many_steps(FIRST, how, torch.float64), tmp_path, limit=1e-12, ranks=ranks, shape=shape)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_twenty_steps_in_single(ranks, tmp_path):
    same(many_steps(FIRST, "sharded", torch.float32), tmp_path, ranks=ranks)
