"""Every recipe on parameters that are spread over ranks does what it does in one process."""

from __future__ import annotations

from functools import partial
from itertools import cycle

import pytest
import torch.distributed as dist

import gradwright as gw
from tests.contract.table import FIRST, ROWS
from tests.families.kinds import Contract

pytestmark = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch was built without gloo"
)

if dist.is_available():
    from tests.distributed.ranks import beside_one_process, run

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


def same(pairs, folder):
    cases = {f"{row} {how}": partial(beside_one_process, row.recipe, row.knobs, how) for row, how in pairs}
    found = run(folder, cases)
    off = {name: ends for name, ends in found.items() if not all(isinstance(e, float) and e < 1e-6 for e in ends)}
    assert not off, "\n".join(f"{name}: {ends[0]}" for name, ends in off.items())


def test_a_sample_of_recipes(tmp_path):
    same(zip(SAMPLE, cycle(("sharded", "mixed"))), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sharded", "mixed", "columns"])
def test_every_recipe(how, tmp_path):
    same([(row, how) for row in FIRST], tmp_path)


@pytest.mark.slow
def test_every_form(tmp_path):
    same([(row, "mixed") for row in ROWS if row not in FIRST], tmp_path)
