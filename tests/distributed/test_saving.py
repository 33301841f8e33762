"""Checkpoints of distributed tensors: saved by four ranks, gone on by two, by one, and by four again."""

from __future__ import annotations

from functools import partial

import pytest
import torch.distributed as dist

import gradwright as gw

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_available() or not dist.is_gloo_available(), reason="torch was built without gloo"),
]

if dist.is_available():
    from tests.distributed import saving
    from tests.distributed.ranks import run

RECIPES = (gw.AdamW, gw.Adafactor, gw.SM3, gw.Muon, gw.SOAP, gw.Prodigy)
"""State as large as the parameter, by rows and columns, of another shape, and shared."""


def test_a_run_goes_on_from_four_ranks_on_two_on_one_and_on_four(tmp_path):
    for turn, ranks in enumerate((4, 2, 1, 4)):
        folder = tmp_path / str(turn)
        folder.mkdir()
        cases = {recipe: partial(saving.gone_on, recipe, str(tmp_path), turn) for recipe in RECIPES}
        for recipe, ends in run(folder, cases, ranks=ranks).items():
            for end in ends:
                assert not isinstance(end, str), end
                assert max(end) < 1e-6, (recipe, ranks, end)


def test_a_whole_state_dict_holds_no_shards_and_is_broadcast(tmp_path):
    for recipe, ends in run(tmp_path, {one: partial(saving.whole_and_back, one) for one in RECIPES}).items():
        for end in ends:
            assert end == ([], 0.0), (recipe, end)
