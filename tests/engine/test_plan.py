"""Plans: how many sweeps, what each reads, and how much memory traffic that is."""

import pytest

from gradwright import (
    SGD,
    SM3,
    AdaBelief,
    Adafactor,
    AdamW,
    AMSGrad,
    Lamb,
    Lars,
    Lion,
    Muon,
    NAdam,
    ScheduleFreeAdamW,
    cautious,
    lookahead,
)
from gradwright.engine.graph import COLUMN, HOST, ROW, TENSOR
from tests.engine.traced import plans_of, trace_of


def bytes_per_number(recipe, **knobs):
    return sum(4 * sum(plan.traffic.values()) for plan in plans_of(recipe, **knobs))


@pytest.mark.parametrize(
    ("recipe", "knobs", "expected"),
    [
        (SGD, {}, 12),
        (SGD, {"momentum": 0.9}, 20),
        (Lion, {}, 20),
        (AdamW, {}, 28),
        (AdamW, {"amsgrad": True}, 36),
        (AdaBelief, {}, 28),
        (NAdam, {}, 28),
        (ScheduleFreeAdamW, {}, 28),
        (Lamb, {}, 44),
        (Adafactor, {}, 24),
        (Adafactor, {"scale_parameter": False}, 20),
        (cautious(AdamW), {}, 40),
    ],
)
def test_bytes_moved_for_each_number_in_float32(recipe, knobs, expected):
    assert bytes_per_number(recipe, **knobs) == expected


@pytest.mark.parametrize(
    ("recipe", "sweeps"), [(SGD, 0), (AdamW, 0), (Lion, 0), (Lamb, 1), (cautious(AdamW), 1), (Adafactor, 2)]
)
def test_sweeps_before_the_one_that_writes(recipe, sweeps):
    (plan,) = plans_of(recipe)
    assert plan.last == sweeps
    for index in range(plan.last):
        assert plan.sweeps[index], "a sweep that completes nothing"


def test_a_reduction_waits_for_those_it_is_made_of():
    (plan,) = plans_of(Adafactor)
    finished = {at: index for index, sweep in enumerate(plan.sweeps) for at in sweep}
    for at, index in finished.items():
        for before in plan.graph.needed(list(plan.graph.nodes[at].args)):
            assert finished.get(before, -1) < index


def test_weights_that_wait_for_no_reduction_are_written_before_the_last_sweep():
    (plan,) = plans_of(SM3)
    assert plan.early == {"param": 0}
    assert plan.reads(plan.last) == []
    assert bytes_per_number(SM3) == 12


@pytest.mark.parametrize("recipe", [Lamb, Adafactor, cautious(AdamW), SM3, Lars, AMSGrad])
def test_nothing_is_written_that_a_later_sweep_reads(recipe):
    (plan,) = plans_of(recipe)
    for sweep in range(plan.last):
        later = {table for at in range(sweep + 1, plan.last + 1) for table in plan.reads(at)}
        assert later.isdisjoint(plan.writes(sweep))


def test_what_a_sweep_finished_is_not_computed_again():
    (plan,) = plans_of(Lamb)
    norms = set(plan.reductions)
    last = plan.nodes(plan.last)
    assert norms <= set(last)
    assert [plan.graph.nodes[at].kind for at in norms] == [TENSOR, TENSOR]


def test_the_kinds_of_adafactors_state():
    trace = trace_of(Adafactor, (6, 4))
    kinds = {key.split(".")[-1]: kind for key, kind in trace.kinds.items()}
    assert kinds == {"row": ROW, "column": COLUMN}
    assert trace.split == 1


def test_only_what_changes_is_stored():
    (between,), (at_the_cycle,) = (plans_of(lookahead(SGD), step=step) for step in (4.0, 5.0))
    assert set(between.stores) == {"param"}
    assert set(at_the_cycle.stores) == {"param", "lookahead.slow"}
    assert "lookahead.slow" not in between.tables


def test_the_first_step_does_not_read_what_it_fills():
    (first,), (second,) = (plans_of(SGD, momentum=0.9, step=step) for step in (1.0, 2.0))
    assert first.traffic["heavy_ball.m"] == 1
    assert second.traffic["heavy_ball.m"] == 2
    (anchored,) = plans_of(lookahead(SGD), step=1.0)
    assert anchored.traffic["lookahead.slow"] == 1


def test_host_values_are_no_larger_than_a_number():
    for recipe in (AdamW, NAdam, ScheduleFreeAdamW):
        (plan,) = plans_of(recipe)
        assert plan.host
        assert all(plan.graph.nodes[at].kind == HOST for at in (*plan.host, *plan.numbers.values()))


def test_the_bias_correction_is_one_number_for_each_age():
    (plan,) = plans_of(AdamW)
    powers = [at for at in plan.nodes(plan.last) if plan.graph.nodes[at].op == "pow"]
    assert not powers


def test_an_opaque_link_stands_between_two_kernels():
    before, after = plans_of(Muon)
    assert (before.feeds, after.feeds) == ("orthogonalize", None)
    assert set(before.stores) == {"@"}
    assert "param" not in before.stores
    assert {"param", "ema.m"} <= set(after.stores)
    assert "@orthogonalize" in after.tables


def test_a_vector_has_neither_rows_nor_columns():
    (plan,) = plans_of(Adafactor, (7,))
    assert plan.split is None
    assert not plan.vectors
    (plan,) = plans_of(Adafactor, (7, 3))
    assert plan.split == 1
    assert sorted(plan.vectors.values()) == [ROW, COLUMN]
