"""What ranks send to one another in a step, counted, and what is said where they cannot step together."""

from __future__ import annotations

from functools import partial

import pytest
import torch.distributed as dist

import gradwright as gw
from gradwright.describe.sent import collectives

pytestmark = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch was built without gloo"
)

if dist.is_available():
    from tests.distributed import sending
    from tests.distributed.ranks import run

SHAPES = {"a": (8, 6), "b": (8, 6), "c": (5, 7), "d": (12, 4), "e": (8, 6), "f": (5, 7), "bias": (9,), "scale": (6,)}
"""On two ranks uneven; on four also with ranks that have nothing of a tensor."""
BY_FORMULA = (gw.AdamW, gw.Lamb, gw.Adafactor, gw.CAME, gw.Prodigy, gw.AdaLo, gw.Muon, gw.NorMuon, gw.SOAP)
STEPS = {
    "AdamW": (gw.AdamW, "sharded"),
    "Lion": (gw.Lion, "columns"),
    "Lamb": (gw.Lamb, "sharded"),
    "clipped": (gw.clipped(gw.AdamW), "sharded"),
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """What each case came to on both ranks."""
    cases = {name: partial(sending.sent, recipe, how) for name, (recipe, how) in STEPS.items()}
    cases |= {f"formula {recipe.__name__}": partial(sending.sent_for, recipe, SHAPES) for recipe in BY_FORMULA}
    cases |= {name: getattr(sending, name) for name in ("disagreements", "zero_redundancy", "flat_shards")}
    return run(tmp_path_factory.mktemp("ranks"), cases | {"data_parallel": sending.data_parallel})


@pytest.mark.parametrize("name", ["AdamW", "Lion"])
def test_entries_are_stepped_without_a_word(name, ends):
    assert ends[name] == [[], []]


@pytest.mark.parametrize(("name", "numbers"), [("Lamb", 2 * 3), ("clipped", 6)])
def test_norms_are_one_small_sum(name, numbers, ends):
    """Two norms of each of three matrices; the squares of each of six tensors."""
    for messages in ends[name]:
        assert [(one.what, one.payload) for one in messages] == [("allreduce", 8 * numbers)]


def is_as_computed(recipe, found):
    """Whether what each rank sent is what the formulas say."""
    computed = collectives(recipe.spec, SHAPES, len(found))
    for messages in found:
        for what, name in (("sum", "allreduce"), ("gather", "all_gather_into_tensor")):
            counted = sorted(one.payload for one in messages if one.what in (name, "all_reduce" * (what == "sum")))
            assert counted == sorted(one.payload for one in computed if one.what == what)
    exchanged = [[one.away for one in messages if one.what == "alltoall_base"] for messages in found]
    assert [sum(away) for away in zip(*exchanged)] == [len(found) * s.payload for s in computed if s.what == "exchange"]
    assert sum(map(len, found)) == len(found) * len(computed)
    return True


@pytest.mark.parametrize("recipe", BY_FORMULA)
def test_what_is_sent_is_what_the_formulas_say(recipe, ends):
    assert is_as_computed(recipe, ends[f"formula {recipe.__name__}"])


def test_a_matrix_goes_to_its_owner_once_and_comes_back_once():
    """2 (R − 1) / R of its bytes for each rank's share, where rows are as many as ranks divide."""
    for ranks in (2, 4, 8):
        shapes = {str(at): (64, 32) for at in range(16)}
        sent = sum(one.payload for one in collectives(gw.Muon.spec, shapes, ranks))
        share = 4 * 16 * 64 * 32 / ranks
        assert sent == 2 * (ranks - 1) / ranks * share


@pytest.mark.slow
def test_four_ranks_send_what_the_formulas_say(tmp_path):
    cases = {recipe: partial(sending.sent_for, recipe, SHAPES) for recipe in BY_FORMULA}
    for recipe, found in run(tmp_path, cases, ranks=4).items():
        assert is_as_computed(recipe, found)


def test_ranks_that_disagree_are_told_so_at_the_first_step(ends):
    said = ("'scale.size': 0.2", "Lamb (", "head.weight (1x6), torch.float32, (Shard(dim=0),), step 3", "no gradient")
    for messages in ends["disagreements"]:
        for message, text in zip(messages, said):
            assert message.startswith("RuntimeError: ranks are not about to take the same step: this one has ")
            assert text in message


def test_zero_redundancy_is_right_or_refused(ends):
    for distance, *refused in ends["zero_redundancy"]:
        assert distance < 1e-6
        for message, why in zip(refused, ("sums over all parameters", "keeps numbers that all parameters share")):
            assert why in message
            assert "ZeroRedundancyOptimizer gives each rank some of the parameters" in message


def test_flat_shards_are_right_or_refused(ends):
    for distance, refused in ends["flat_shards"]:
        assert distance < 1e-6
        assert len(refused) == 4
        assert all("gives each rank flat pieces of the parameters" in message for message in refused)


def test_data_parallel(ends):
    """Gradients are averaged in another order there."""
    assert all(distance < 1e-5 for distance in ends["data_parallel"])


@pytest.mark.slow
def test_strange_meshes_are_refused_by_name(tmp_path):
    found = run(tmp_path, {"strange": sending.strange_meshes}, ranks=4)["strange"]
    assert "missing is spread as (Replicate()) over ranks [0, 1, 2], and this rank is none of these" in found[3][0]
    assert [missing for missing, _ in found[:3]] == [""] * 3
    assert all("of which neither has all of the other's" in crossing for _, crossing in found)
