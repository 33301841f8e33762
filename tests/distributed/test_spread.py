"""Parameters that are spread over ranks, beside the numbers of a step: losses, checkpoints, refusals, meshes."""

from __future__ import annotations

import pytest
import torch.distributed as dist

pytestmark = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="torch was built without gloo"
)

if dist.is_available():
    from tests.distributed import cases
    from tests.distributed.ranks import run

NAMES = (
    "own_losses",
    "evaluation_weights",
    "resumed",
    "half_precision",
    "complex_numbers",
    "part_of_a_user",
    "explained",
    "plain_gradient",
    "partial_gradient",
    "blocks_of_rows",
    "skipped_by_all",
    "looks_twice",
    "looks_twice_by_itself",
)


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """What each case came to on every rank."""
    return run(tmp_path_factory.mktemp("ranks"), {name: getattr(cases, name) for name in NAMES})


@pytest.mark.parametrize(
    "name", sorted(set(NAMES) - {"plain_gradient", "half_precision", "explained", "skipped_by_all"})
)
def test_two_ranks_do_what_one_process_does(name, ends):
    for end in ends[name]:
        assert not isinstance(end, str), end
        assert max(end if isinstance(end, tuple) else (end,)) < 1e-6


def test_all_ranks_leave_a_step_out_that_one_cannot_take(ends):
    for end in ends["skipped_by_all"]:
        assert not isinstance(end, str), end
        assert end[1]
        assert end[0] < 1e-6


def test_half_precision_rounds_alike(ends):
    assert ends["half_precision"] == [0.0, 0.0]


def test_a_gradient_of_another_kind_is_refused_before_anything_moves(ends):
    for message, unmoved in ends["plain_gradient"]:
        assert unmoved
        assert "the gradient of middle.weight (6x12) is a plain one, the parameter a distributed tensor" in message


def test_kernels_run_on_shards_and_ranks_meet_between_them(ends):
    own, norms, gathered = ends["explained"][0]
    assert "6x12, float32, distributed\n  holds" in own
    assert "then what it reduced" not in own
    assert "sweep 1: reads" in norms
    assert "then what it reduced is completed over the ranks that hold parts of a tensor" in norms
    assert "plain torch, one tensor after another" in gathered


@pytest.mark.slow
def test_four_ranks_in_two_dimensions(tmp_path):
    for end in run(tmp_path, {"two": cases.two_dimensions}, ranks=4)["two"]:
        assert not isinstance(end, str), end
        assert end < 1e-6
