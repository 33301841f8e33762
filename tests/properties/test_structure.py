"""Parts and chains as values: knobs go in and come out, structure does not see them, cuts lose nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradwright.core import Chain, Part, Transform, chain
from gradwright.core.part import knob_names, part_name
from gradwright.optimizer.recipe import registry
from gradwright.transforms import AddEps, Ema, Full, Lookahead, Precondition, Scale, ScheduleFree
from tests.parity.rows import ROWS

CHAINS = {row.name: row.recipe.chain(**row.knobs) for row in ROWS}
each_chain = pytest.mark.parametrize("name", CHAINS)


def moved_knob(name, value):
    """Another value within the bounds: half of it, or twice a factor of growth, which has to stay above one."""
    grows = name.rpartition(".")[2] in ("grow", "growth") and value < 1e300
    return 2 * value if grows else value / 2


@dataclass(frozen=True)
class Link(Transform):
    """A link that acts at ``stage`` and is told from others by ``mark``."""

    mark: int = 0
    size: float = 1.0


LINKS = [type(f"At{stage}", (Link,), {"stage": stage}) for stage in range(4)]
drawn_chains = st.lists(st.integers(0, 3), max_size=7).map(
    lambda stages: Chain(tuple(LINKS[stage](mark) for mark, stage in enumerate(stages)))
)


@given(links=drawn_chains, stage=st.integers(-1, 4))
def test_a_cut_loses_nothing_and_keeps_the_order(links, stage):
    assert links.upto(stage).links + links.beyond(stage).links == links.links


@given(links=drawn_chains)
def test_stages_never_fall_and_a_cut_separates_them(links):
    assert list(links.stages) == sorted(links.stages)
    for stage in range(4):
        assert all(at <= stage for at in links.upto(stage).stages)
        assert all(at > stage for at in links.stages[len(links.upto(stage).links) :])


def test_a_link_after_a_later_stage_counts_as_that_stage():
    links = Chain((LINKS[1](0), LINKS[2](1), LINKS[1](2), LINKS[0](3)))
    assert links.stages == (1, 2, 2, 2)
    assert [link.mark for link in links.upto(1).links] == [0]


@each_chain
def test_knobs_are_named_once_and_are_floats(name):
    knobs = CHAINS[name].knobs()
    assert knobs
    assert all(type(value) is float for value in knobs.values())


@each_chain
def test_map_knobs_sees_every_knob_by_its_name_and_the_identity_changes_nothing(name):
    seen = {}
    same = CHAINS[name].map_knobs(lambda knob, value: seen.setdefault(knob, value))
    assert seen == CHAINS[name].knobs()
    assert same == CHAINS[name]


@each_chain
def test_structure_does_not_see_knobs_and_can_be_a_key(name):
    moved = CHAINS[name].map_knobs(moved_knob)
    assert moved.structure() == CHAINS[name].structure()
    assert moved.knobs() == {knob: moved_knob(knob, value) for knob, value in CHAINS[name].knobs().items()}
    assert {CHAINS[name].structure(): 1}[moved.structure()] == 1


def test_structure_sees_everything_else():
    different = [Ema(0.9), Ema(0.9, debias=True), Ema(0.9, nesterov=True), Scale(0.9), Lookahead(3), Lookahead(4)]
    assert len({part.structure() for part in different}) == len(different)
    assert chain(Ema(0.9), Scale(1.0)).structure() != chain(Scale(1.0), Ema(0.9)).structure()


@pytest.mark.parametrize("name", sorted({row.recipe.recipe_name for row in ROWS}))
def test_a_recipes_chain_has_the_same_structure_at_all_knobs(name):
    """A recipe does not branch on a knob: a schedule never changes what is compiled."""
    recipe_spec = registry[name].spec
    moved = {
        key: tuple(entry / 2 for entry in value) if isinstance(value, tuple) else moved_knob(key, value)
        for key, value in recipe_spec.defaults.items()
        if isinstance(value, (float, tuple)) and key != "momentum_decay" and key not in recipe_spec.initial
    }
    if "etas" in moved:
        shrink, grow = recipe_spec.defaults["etas"]
        moved["etas"] = (shrink / 2, 2 * grow)  # a factor of growth is above one
    zeros = {key: 0.0 for key in ("lr", "weight_decay") if key in recipe_spec.defaults}
    assert recipe_spec.chain(moved).structure() == recipe_spec.chain({}).structure()
    assert recipe_spec.chain(zeros).structure() == recipe_spec.chain({}).structure()


@dataclass(frozen=True)
class Whole(Part):
    share: float
    steps: int = 3
    inner: Part = field(default_factory=lambda: AddEps(1e-8))
    bounds = {"share": (0.0, 1.0)}  # noqa: RUF012


def test_floats_are_knobs_by_annotation_and_coerced():
    whole = Whole(0, 3)
    assert knob_names(Whole) == ("share",)
    assert whole.knobs() == {"share": 0.0, "inner.eps": 1e-8}
    assert type(whole.share) is float


@pytest.mark.parametrize("value", [-0.1, 1.0, 2.0, float("nan"), float("inf")])
def test_a_knob_out_of_bounds_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"Whole: share=.* is outside \[0, 1\)"):
        Whole(value)


def test_names_of_links_count_repetitions():
    links = chain(Ema(0.9), Precondition(Full(0.9), AddEps()), Ema(0.5), Ema(0.1))
    assert list(links.children()) == ["ema", "precondition", "ema2", "ema3"]
    assert part_name(ScheduleFree) == "schedule_free"


def test_chains_lie_flat_and_refuse_what_is_no_transform():
    assert chain(chain(Ema(0.9)), chain(chain(Scale(1.0)))) == chain(Ema(0.9), Scale(1.0))
    with pytest.raises(TypeError, match="AddEps"):
        chain(AddEps())


def test_two_kinds_of_evaluation_weights_are_refused():
    with pytest.raises(ValueError, match="ScheduleFree and ScheduleFree"):
        chain(ScheduleFree(1.0), ScheduleFree(1.0))
