"""Every part by itself: one update each, worked by hand. The families of recipes bring cases of their own parts."""

from __future__ import annotations

import math

import pytest
import torch

import gradwright.transforms as parts
from gradwright.core import Part
from gradwright.core.transform import Transform
from tests.families import families, rows
from tests.families.kinds import case
from tests.properties.acting import act, doubles
from tests.reference.muon import response

NAN = float("nan")


MOMENTUM = [
    case(parts.Ema(0.5), 4.0, 3.0, {"m": 3.0}, state={"m": 2.0}),
    case(parts.Ema(0.5, debias=True), 4.0, 4.0, {"m": 2.0}),
    case(parts.Ema(0.5, debias=True), 4.0, 4.0, {"m": 3.0}, state={"m": 2.0}, step=2.0),
    case(parts.Ema(0.5, nesterov=True), 4.0, 0.5 * 4 + 0.5 * 3, {"m": 3.0}, state={"m": 2.0}),
    case(parts.Debias(0.5), 3.0, 4.0, step=2.0),
    case(parts.HeavyBall(0.5, 0.25), 4.0, 4.0, {"m": 4.0}),
    case(parts.HeavyBall(0.5, 0.25), 2.0, 3.5, {"m": 3.5}, state={"m": 4.0}, step=2.0),
    case(parts.HeavyBall(0.5, nesterov=True), 2.0, 4.0, {"m": 4.0}, state={"m": 4.0}, step=2.0),
    case(parts.TwoSpeed(0.75, 0.5), 4.0, 0.75 * 2 + 0.25 * 4, {"m": 3.0}, state={"m": 2.0}),
    # without a momentum decay, μ = β / 2 at every step
    case(parts.NesterovSchedule(0.8, 0.0), 1.0, 1 + 0.4 / (1 - 0.16) * 0.2, {"m": 0.2, "product": 0.4}),
    case(parts.NesterovSchedule(0.8, 0.0, follow=True), 1.0, 1 + 0.4 / (1 - 0.16) * 0.6, {"m": 0.6, "product": 0.4}),
    case(parts.NesterovDebiased(0.5), 3.0, 1.0 + 3.0, {"m": 1.5}),
    case(parts.AccumulatingEma(0.5, 2), 4.0, 2.0, {"m": 2.0}, state={"m": 2.0}, clock=1.0),
    case(parts.AccumulatingEma(0.5, 2), 4.0, 3.0, {"m": 3.0}, state={"m": 2.0}, clock=2.0),
    case(parts.AccumulatingEma(0.5), [NAN, 4.0], [2.0, 3.0], {"m": [2.0, 3.0]}, state={"m": [2.0, 3.0]}),
]

MOMENTS = [
    case((parts.Full(0.5), parts.Bare()), 6.0, 2.0, {"v": 4.5}, grad=3.0),
    case((parts.Full(0.5), parts.Bare()), 6.0, 6 / math.sqrt(10), {"v": 7.5}, grad=3.0, state={"v": 6.0}, step=2.0),
    case((parts.Full(0.5), parts.AddEps(3.0)), 6.0, 1.0, grad=3.0),
    case((parts.Full(0.5), parts.AddEps(1e-8)), 0.0, 0.0),
    case((parts.Belief(0.5, 0.0), parts.Bare()), 1.0, 0.5, {"s": 2.0}, grad=3.0),
    case((parts.Belief(0.5, 2.5), parts.AddEps(1.0)), 1.0, 0.25, {"s": 4.5}, grad=3.0),
    case((parts.MaxOverTime(parts.Full(0.5)), parts.Bare()), 6.0, 2.0, {"v": 4.5, "v_max": 4.5}, grad=3.0),
    case(
        (parts.MaxOverTime(parts.Full(0.5)), parts.Bare()), 6.0, 1.0, {"v_max": 18.0}, grad=3.0, state={"v_max": 18.0}
    ),
    # squares [[1, 4], [9, 36]] have rank one, so the first estimate is exact
    case(
        (parts.Factored(eps=0.0), parts.Bare()),
        [[1.0, -2.0], [-3.0, 6.0]],
        [[1.0, -1.0], [-1.0, 1.0]],
        {"row": [[2.5], [22.5]], "column": [[5.0, 20.0]]},
    ),
    case((parts.Factored(decay=1.0, eps=0.0), parts.Bare()), [3.0], [1.0], {"v": [9.0]}, state={"v": [9.0]}, step=2.0),
    case((parts.Factored(eps=2.0, clamp=True), parts.Bare()), [1.0, 4.0], [0.5, 1.0], {"v": [1.0, 16.0]}),
]

DIRECTIONS = [
    case(parts.Sign(), [-3.0, 0.0, 2.0], [-1.0, 0.0, 1.0]),
    case(parts.TrustRatio(), [0.3, 0.4], [3.0, 4.0], param=[3.0, 4.0]),
    case(parts.TrustRatio(), [0.3, 0.4], [0.3, 0.4], param=[0.0, 0.0]),
    case(parts.TrustRatio(), [0.0, 0.0], [0.0, 0.0], param=[3.0, 4.0]),
    case(parts.TrustRatio(only="!vector"), [0.3, 0.4], [0.3, 0.4], param=[3.0, 4.0]),
    case(parts.ClipRms(0.5), [3.0, -3.0], [0.5, -0.5]),
    case(parts.ClipRms(9.0), [3.0, -3.0], [3.0, -3.0]),
    case(parts.Cautious(), [1.0, 2.0, 3.0, 4.0], [2.0, 0.0, 0.0, 8.0], grad=[1.0, -1.0, 0.0, 1.0]),
    case(parts.Cautious(), [1.0, 2.0], [0.0, 0.0], grad=[-1.0, -1.0]),
    case(parts.Orthogonalize(), [[5.0]], [[response(1.0, "keller")]]),
    case(parts.Orthogonalize("you"), [[0.0, -3.0]], [[0.0, -response(1.0, "you")]]),
    case(parts.ShapeScale(), [[1.0]] * 4, [[2.0]] * 4),
    case(parts.ShapeScale("match_rms_adamw"), [[1.0]] * 4, [[0.4]] * 4),
]

STEPS = [
    case(parts.Scale(0.5), 3.0, 1.5),
    case(parts.L2(0.5), 3.0, 4.0, param=2.0),
    case(parts.Decay(0.5), 3.0, 4.0, param=2.0),
    case(parts.Decay(0.5, only="!scalar"), 3.0, 3.0, param=2.0),
    case(parts.RelativeStep(0.5), 3.0, 3.0, param=-2.0),
    case(parts.RelativeStep(0.5), 3.0, 3 * 0.25 * 2, param=2.0, step=16.0),
    case(parts.RelativeStep(0.5, floor=4.0, decaying=False), 3.0, 6.0, param=2.0, step=16.0),
    case(parts.RelativeStep(0.5, scaled=False), 3.0, 1.5, param=2.0),
    case(parts.RelativeDecay(0.25, parts.RelativeStep(0.5)), 3.0, 3.5, param=2.0),
    case(parts.WeightScale(), [[1.0, 1.0]], [[5.0, 5.0]], param=[[1.0, 7.0]]),
    case(parts.WeightScale(0.5), [[1.0, 1.0]], [[0.5, 0.5]]),
    case(parts.WeightScale(), [[1.0], [1.0]], [[3.0], [4.0]], param=[[3.0], [-4.0]], role="embedding"),
    case(parts.WeightScale(), [2.0], [1.0], param=[9.0]),
    case(parts.EveryKth(3), 2.0, 2.0, clock=6.0),
    case(parts.EveryKth(3), 2.0, 0.0, clock=7.0),
    case(parts.LossScaled(0.5, 0.25, 0.0), 1.0, 0.5, {"loss_scale": 0.125}, loss=2.0),
    case(parts.LossScaled(0.5, 0.25, 0.0, "compliant"), 1.0, 3.5, {"loss_scale": 0.125}, loss=2.0),
    case(parts.LossScaled(0.5, 0.25, 0.7), 1.0, 0.7, loss=2.0),
    case(parts.ShrinkOnNan(0.75), [1.0, 2.0], [2.0, 1.0], param=[8.0, 4.0], grad=[NAN, 1.0]),
    case(parts.ShrinkOnNan(0.75), [1.0, 2.0], [1.0, 0.0], param=[5.0, 1.0], grad=[NAN, 1.0], role="gain"),
    case(parts.ShrinkOnNan(0.75), [1.0, 2.0], [1.0, 2.0], param=[8.0, 4.0], grad=[math.inf, 1.0]),
]

WEIGHTS = [
    case(parts.Lookahead(3, 0.5), 2.0, 2.0, {"slow": 5.0}, param=8.0, state={"slow": 5.0}, clock=4.0),
    # the fast weights stand at 6, the slow ones at 4; both go to 5
    case(parts.Lookahead(3, 0.5), 2.0, 3.0, {"slow": 5.0}, param=8.0, state={"slow": 4.0}, clock=6.0),
    # z goes from 8 to 7; c = 1, so y goes there as well
    case(
        parts.ScheduleFree(0.5, 0.75),
        2.0,
        1.0,
        {"z": 7.0, "weight_sum": 0.25, "size_max": 0.5},
        param=8.0,
    ),
    # c = ½, x = 9 goes to ½ (9 + 5) = 7, y = ¾ x + ¼ z from 8.25 to 6.5
    case(
        parts.ScheduleFree(0.5, 0.75),
        2.0,
        1.75,
        {"z": 5.0, "weight_sum": 0.5},
        param=8.25,
        state={"z": 6.0, "weight_sum": 0.25, "size_max": 0.5, "share": 0.75},
        step=2.0,
    ),
]

CASES = [*MOMENTUM, *MOMENTS, *DIRECTIONS, *STEPS, *WEIGHTS, *rows("PARTS")]
ABSTRACT = {parts.Moment, parts.Denominator}
each_case = pytest.mark.parametrize("given", CASES, ids=lambda given: str(given.part))


@each_case
def test_one_update_is_what_the_equations_say(given):
    acted = act(given.part, given.u, **given.given)
    torch.testing.assert_close(acted.u, doubles(given.answer), rtol=1e-12, atol=1e-15)
    for key, value in given.after.items():
        torch.testing.assert_close(doubles(acted.state[key]), doubles(value), rtol=1e-12, atol=0.0)


@each_case
def test_an_update_writes_nothing_in_place(given):
    tensors = {"u": doubles(given.u), "grad": doubles(given.given.get("grad", given.u))}
    copies = {key: value.clone() for key, value in tensors.items()}
    state = {
        key: value if isinstance(value, float) else doubles(value)
        for key, value in given.given.get("state", {}).items()
    }
    kept = {key: doubles(value).clone() for key, value in state.items()}
    act(given.part, tensors["u"], **{**given.given, "grad": tensors["grad"], "state": state})
    for now, before in ((tensors, copies), (state, kept)):
        for key, value in before.items():
            torch.testing.assert_close(doubles(now[key]), value, rtol=0, atol=0, equal_nan=True)


@each_case
def test_the_state_of_an_update_is_the_declared_state(given):
    acted = act(given.part, given.u, **given.given)
    assert acted.state.keys() == given.part.slots(acted.ctx.spec).keys()


def all_parts(part: Part) -> set[type]:
    return {type(part)}.union(*(all_parts(child) for child in part.children().values()))


def test_every_part_has_a_case():
    """A new part gets a row in one of the tables above."""
    public = {getattr(parts, name) for name in parts.__all__}
    concrete = {found for found in public if isinstance(found, type) and issubclass(found, Part)} - ABSTRACT
    assert concrete <= set[type]().union(*(all_parts(given.part) for given in CASES))


def test_precondition_shows_later_links_the_moment_it_divided_by():
    acted = act(parts.Precondition(parts.Full(0.5), parts.Bare()), 6.0, grad=3.0)
    torch.testing.assert_close(acted.ctx.moment, doubles(9.0))


def test_an_estimate_answers_with_the_square_or_the_root_whichever_it_was_made_from():
    for estimate in (
        parts.Estimate(doubles(16.0), correction=0.25),
        parts.Estimate(root=doubles(4.0), correction=0.25),
    ):
        found = [estimate.raw_square, estimate.raw_root, estimate.square, estimate.root]
        assert [value.item() for value in found] == [16.0, 4.0, 64.0, 8.0]


STAGES = {0: {"L2"}, 3: {"Lookahead", "ScheduleFree"}}
STAGES[2] = {"Decay", "EveryKth", "LossScaled", "RelativeDecay", "RelativeStep", "Scale", "ShrinkOnNan", "WeightScale"}
for module in families().values():
    for stage, names in getattr(module, "STAGES", {}).items():
        STAGES.setdefault(stage, set()).update(names)


def test_stages_say_where_combinators_cut():
    transforms = {type(given.part): given.part for given in CASES if isinstance(given.part, Transform)}
    for kind, part in transforms.items():
        expected = next((stage for stage, names in STAGES.items() if kind.__name__ in names), 1)
        assert part.stage == expected, part


DEFAULTS = [
    (parts.AccumulatingEma(0.9), parts.AccumulatingEma(0.9, 1)),
    (parts.AddEps(), parts.AddEps(1e-8)),
    (parts.ClipRms(), parts.ClipRms(1.0)),
    (parts.EveryKth(), parts.EveryKth(1)),
    (parts.Factored(), parts.Factored(0.8, 1e-30, False, "largest")),
    (parts.Lookahead(), parts.Lookahead(5, 0.5)),
    (parts.LossScaled(), parts.LossScaled(0.999, 3.0, 1e-8, "adversarial")),
    (parts.NesterovSchedule(0.9), parts.NesterovSchedule(0.9, 4e-3, False)),
    (parts.RelativeStep(1.0), parts.RelativeStep(1.0, 1e-3, True, True)),
    (parts.ScheduleFree(1.0), parts.ScheduleFree(1.0, 0.9, 0.0, 0.0, 2.0)),
    (parts.ShrinkOnNan(), parts.ShrinkOnNan(0.99)),
    (parts.WeightScale(), parts.WeightScale(0.0)),
    *rows("DEFAULTS"),
]


@pytest.mark.parametrize(("short", "full"), DEFAULTS, ids=lambda part: type(part).__name__)
def test_a_part_defaults_to_its_paper(short, full):
    assert short == full
