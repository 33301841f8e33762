"""Cautious recipes: what is masked, what is kept, and what is not touched at all."""

import numpy as np
import pytest
import torch
from hypothesis import given

import gradwright as gw
from gradwright.core import ParamSpec, chain
from gradwright.core.dry_run import dry_run
from gradwright.transforms import Cautious, Orthogonalize, Scale
from tests.properties.draws import arrays, shapes
from tests.runs import run

BASES = {
    "AdamW": (gw.AdamW, {}),
    "NAdamW": (gw.NAdamW, {}),
    "Lion": (gw.Lion, {}),
    "SGD": (gw.SGD, {"momentum": 0.9}),
    "AdaBelief": (gw.AdaBelief, {}),
}
each_base = pytest.mark.parametrize("name", BASES)


def last_step(recipe, g, **knobs):
    """The third step, after two that set up a momentum against which the third gradient partly turns."""
    steps = [[g], [g + 1], [np.roll(g, 1) - 0.5]]
    _, before, after = (step[0] for step in run(recipe, [0 * g], steps, lr=1.0, **knobs).history)
    return before - after, steps[-1][0]


@each_base
@given(g=arrays(shapes(1, 3)))
def test_entries_whose_direction_disagrees_with_the_gradient_do_not_move(name, g):
    base, knobs = BASES[name]
    plain, gradient = last_step(base, g, weight_decay=0, **knobs)
    masked, _ = last_step(gw.cautious(base), g, weight_decay=0, **knobs)
    agrees = plain * gradient > 0
    assert (masked[~agrees] == 0).all()
    assert (masked[agrees] != 0).all()


@each_base
@given(g=arrays(shapes(1, 3)))
def test_the_mean_factor_of_a_tensor_is_one(name, g):
    base, knobs = BASES[name]
    plain, gradient = last_step(base, g, weight_decay=0, **knobs)
    masked, _ = last_step(gw.cautious(base), g, weight_decay=0, **knobs)
    if (plain * gradient > 0).any():
        assert np.mean(masked / plain) == pytest.approx(1, rel=1e-9)


def test_decay_is_not_masked():
    """A tensor whose direction disagrees everywhere still decays."""
    steps = [[[1.0, 1.0]]] * 3 + [[[-1e-3, -1e-3]]]
    *_, before, after = run(gw.cautious(gw.AdamW), [[5.0, -5.0]], steps, lr=0.1, weight_decay=0.5).history
    np.testing.assert_allclose(after[0], before[0] * (1 - 0.1 * 0.5), rtol=1e-14)


def test_nor_are_the_moments():
    steps = [[[1.0, -2.0]], [[-3.0, 1.0]], [[0.5, 0.5]]]
    masked, plain = (run(recipe, [[1.0, 2.0]], steps) for recipe in (gw.cautious(gw.AdamW), gw.AdamW))
    for key in ("ema.m", "precondition.v"):
        assert np.array_equal(masked.state(key), plain.state(key))


@pytest.mark.parametrize(
    "recipe",
    [gw.SGD, gw.SGDS, gw.Adafactor, gw.SM3, gw.Amos, gw.DoG, gw.DoWG, gw.DAdaptSGD, gw.ScheduleFreeAdamW],
    ids=lambda recipe: recipe.recipe_name,
)
def test_where_nothing_ever_disagrees_it_is_refused(recipe):
    with pytest.raises(ValueError, match=f"Cautious{recipe.recipe_name}: .*momentum"):
        gw.cautious(recipe)([torch.ones(3, 2, requires_grad=True)])


LATE = {
    "Adafactor": (gw.Adafactor, {"momentum": 0.9, "relative_step": False, "scale_parameter": False}),
    "SM3": (gw.SM3, {"momentum": 0.9}),
    "Amos": (gw.Amos, {"momentum": 0.9}),
    **{f"Lars, {form}": (gw.Lars, {"form": form}) for form in ("paper", "simclr", "popular", "timm")},
}


@pytest.mark.parametrize("name", LATE)
def test_the_mask_follows_a_momentum_that_comes_late(name):
    """Where the gradient turns around, what the momentum still carries in the old direction is masked."""
    recipe, knobs = LATE[name]
    g = np.array([[1.0, -2.0, 3.0], [-1.0, 2.0, 0.5]])
    turned = np.array([[1.0, 1.0, 1.0], [1.0, -0.01, -0.01]]) * g
    start, steps = np.ones_like(g), [[g], [g], [turned]]
    (_, before, plain), (_, also, masked) = (
        run(made, [start], steps, **knobs).history for made in (recipe, gw.cautious(recipe))
    )
    np.testing.assert_array_equal(before[0], also[0])
    agrees = (before[0] - plain[0]) * turned > 0
    assert agrees.any()
    assert not agrees.all()
    assert (masked[0] == also[0])[~agrees].all()
    if name != "Lars, popular":  # there the ratio of norms comes after the mask
        expected = np.where(agrees, before[0] - plain[0], 0) / agrees.mean()
        np.testing.assert_allclose(before[0] - masked[0], expected, rtol=1e-9)


def test_a_momentum_of_zero_may_rise_and_is_not_refused():
    optimizer = gw.cautious(gw.AdamW)([torch.ones(3, requires_grad=True)], betas=(0.0, 0.99))
    assert optimizer.param_groups[0]["betas"][0] == 0
    gw.cautious(gw.SGD)([torch.ones(3, requires_grad=True)], momentum=0.0)


def test_a_direction_that_turns_without_a_momentum_is_not_refused():
    """The polar factor of a gradient disagrees with some of its entries."""

    def step(masked):
        links = (Orthogonalize(), *([Cautious()] if masked else []), Scale(1.0))
        return dry_run(chain(*links), [torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.float64)])[0]

    chain(Orthogonalize(), Cautious(), Scale(1.0)).check(ParamSpec((4, 4)))
    assert not torch.equal(step(True), step(False))


def test_a_few_that_agree_are_enlarged_a_thousandfold_at_most():
    g = np.full(5000, -1.0)
    g[0] = 1.0
    start = [np.full(5000, 10.0)]
    masked, _ = (run(gw.cautious(gw.SGD), [0 * g], [start, [g]], lr=1.0, momentum=0.9).history[t][0] for t in (1, 0))
    first = run(gw.cautious(gw.SGD), [0 * g], [start], lr=1.0, momentum=0.9).last[0]
    moved = first - masked
    assert moved[0] == pytest.approx((0.9 * 10 + 1) * 1000)
    assert (moved[1:] == 0).all()
