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
    Prodigy,
    ScheduleFreeAdamW,
    cautious,
    clipped,
    lookahead,
)
from gradwright.engine.operand import COLUMN, HOST, ROW, TENSOR, Folding
from gradwright.engine.program import Opaque, Reduce, Sweep
from tests.engine.traced import program_of, trace_of


def bytes_per_number(recipe, **knobs):
    return 4 * sum(program_of(recipe, **knobs).traffic.values())


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
    program = program_of(recipe)
    assert program.last == sweeps
    for sweep in program.sweeps[:-1]:
        assert sweep.reductions, "a sweep that completes nothing"


def test_a_reduction_waits_for_those_it_is_made_of():
    program = program_of(Adafactor)
    finished = {at: index for index, sweep in enumerate(program.sweeps) for at in sweep.reductions}
    for at, index in finished.items():
        for before in program.graph.needed(list(program.graph.nodes[at].args)):
            assert finished.get(before, -1) < index


def test_weights_that_wait_for_no_reduction_are_written_before_the_last_sweep():
    program = program_of(SM3)
    assert "param" in program.sweeps[0].stores
    assert program.reads(program.last) == []
    assert bytes_per_number(SM3) == 12


@pytest.mark.parametrize("recipe", [Lamb, Adafactor, cautious(AdamW), SM3, Lars, AMSGrad])
def test_nothing_is_written_that_a_later_sweep_reads(recipe):
    program = program_of(recipe)
    for sweep in range(program.last):
        later = {table for at in range(sweep + 1, program.last + 1) for table in program.reads(at)}
        assert later.isdisjoint(program.writes(sweep))


def test_what_a_sweep_finished_is_not_computed_again():
    program = program_of(Lamb)
    norms = set(program.reductions)
    last = program.nodes(program.last)
    assert norms <= set(last)
    assert [program.graph.nodes[at].kind for at in norms] == [TENSOR, TENSOR]


def test_the_kinds_of_adafactors_state():
    trace = trace_of(Adafactor, (6, 4))
    kinds = {key.split(".")[-1]: kind for key, kind in trace.kinds.items()}
    assert kinds == {"row": ROW, "column": COLUMN}
    assert trace.folding == Folding(1)


def test_only_what_changes_is_stored():
    between, at_the_cycle = (program_of(lookahead(SGD), step=step) for step in (4.0, 5.0))
    assert set(between.stores) == {"param"}
    assert set(at_the_cycle.stores) == {"param", "lookahead.slow"}
    assert "lookahead.slow" not in between.states


def test_the_first_step_does_not_read_what_it_fills():
    anchored = program_of(lookahead(SGD), step=1.0)
    assert anchored.traffic["lookahead.slow"] == 1
    # a buffer of momentum is read at once: micro-batches may have gathered in it
    assert program_of(SGD, momentum=0.9, step=1.0).traffic["heavy_ball.m"] == 2


def test_host_values_are_no_larger_than_a_number():
    for recipe in (AdamW, NAdam, ScheduleFreeAdamW):
        program = program_of(recipe)
        assert program.host
        assert all(program.graph.nodes[at].kind == HOST for at in (*program.host, *program.numbers.values()))


def test_the_bias_correction_is_one_number_for_each_age():
    program = program_of(AdamW)
    powers = [at for at in program.nodes(program.last) if program.graph.nodes[at].op == "pow"]
    assert not powers


def test_an_opaque_link_stands_between_two_sweeps():
    program = program_of(Muon)
    before, link, after = program.phases
    assert link == Opaque("orthogonalize")
    assert set(before.stores) == {">orthogonalize"}
    assert {"param", "ema.m"} <= set(after.stores)
    assert "<orthogonalize" in program.reads(1)


@pytest.mark.parametrize("recipe", [clipped(AdamW), Prodigy, Muon, clipped(Muon)], ids=lambda recipe: recipe.__name__)
def test_weights_and_state_are_written_behind_the_last_interruption(recipe):
    """A total or an opaque link may fail; then nothing has changed."""
    program = program_of(recipe)
    totals = [at for at, phase in enumerate(program.phases) if isinstance(phase, Reduce) and phase.totals]
    links = [at for at, phase in enumerate(program.phases) if isinstance(phase, Opaque)]
    interrupted = max(totals + links)
    for phase in program.phases[:interrupted]:
        if isinstance(phase, Sweep):
            assert not {"param", *program.states} & set(phase.stores)


def test_segments_end_where_a_step_is_interrupted():
    (whole,) = program_of(Lamb).segments
    assert (whole.first, whole.last, whole.totals, whole.links) == (0, 1, {}, ())
    program = program_of(clipped(Muon))
    assert [bool(segment.totals) for segment in program.segments] == [True, False, False]
    assert [segment.links for segment in program.segments] == [(), ("orthogonalize",), ()]
    assert program.segments == (*program.asking, *program.ending)


def test_a_vector_has_neither_rows_nor_columns():
    program = program_of(Adafactor, (7,))
    assert program.folding is None
    assert not program.of(ROW, COLUMN)
    program = program_of(Adafactor, (7, 3))
    assert program.folding == Folding(1)
    assert sorted(one.kind for one in program.of(ROW, COLUMN)) == [ROW, COLUMN]
