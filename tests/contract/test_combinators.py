"""Combinators times recipes: what a combinator promises holds on every recipe that it takes, or it refuses the recipe.

The contract asks one recipe of each combinator; here each is put around all of them, for what only some recipes break:
a learning rate that sits where no other recipe has it, weights that mean something only where they are kept.
"""

import math
import pickle
from functools import cache

import numpy as np
import pytest

import gradwright as gw
from gradwright.contract import CHECKS
from gradwright.core import chain
from gradwright.recipe.registry import specs
from gradwright.recipes.combinator import Combinator
from tests.runs import gradients, normals, run

RECIPES = [getattr(gw, name) for name in sorted(specs) if getattr(getattr(gw, name, None), "made_by", 0) is None]
COMBINATORS = {name: value for name, value in sorted(vars(gw).items()) if isinstance(value, Combinator)}
PULLING = ("averaged", "cautious_decay", "constrained", "decoupled", "lookahead", "norm_regularized")
"""What acts on steps and weights, rather than on gradients alone, and has neutral settings."""
MOVED = ("constrained", "lookahead")
SHAPES = ((4, 3), (3, 5))
STEPS = 4


def taken(combinator, **knobs):
    """The recipes that a combinator makes of all that it takes, each beside what it is made of."""
    for recipe in RECIPES:
        if combinator in (gw.cautious_decay, gw.decoupled) and recipe is gw.Scion:
            continue  # the pull of its constraint is a part of the step, and no setting can take it away
        try:
            made = combinator(recipe)
            made.spec.chain(knobs).check_order(())
        except ValueError:
            continue
        yield recipe, made


@cache
def _walk():
    return normals(SHAPES, 5), gradients(SHAPES, STEPS, 6)


def walk(recipe, **knobs):
    start, steps = _walk()
    return run(recipe, start, steps, losses=[2.0] * STEPS, **knobs)


def assert_same(found, expected, who, rtol=1e-9):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-12, err_msg=who)


def with_decay(recipe, value):
    return {"weight_decay": value} if "weight_decay" in recipe.spec.defaults else {}


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in PULLING else pytest.mark.slow) for n in COMBINATORS])
def test_neutral_settings_and_rates_are_as_declared(name, monkeypatch):
    monkeypatch.setenv("GRADWRIGHT_ENGINE", "eager")
    pairs = list(taken(COMBINATORS[name]))
    assert pairs
    for _, made in pairs:
        CHECKS["rates_are_declared"].run(made, {})
        CHECKS["neutral_settings_change_nothing"].run(made, {})


@pytest.mark.parametrize("name", MOVED)
def test_what_displaces_the_weights_refuses_all_recipes_that_keep_them_in_a_place(name):
    placed = {r for r in RECIPES if any(part.places for part in r.spec.chain({}).inside)}
    made = {recipe for recipe, _ in taken(COMBINATORS[name])}
    assert len(placed) >= 8
    assert not placed & made
    assert len(made) >= len(RECIPES) - len(placed) - 1  # AdamCPR is constrained already
    for recipe in placed:
        with pytest.raises(ValueError, match=f"{recipe.recipe_name}: .* keeps the weights .* leave out one of the two"):
            walk(COMBINATORS[name](recipe))


def test_an_untuned_warmup_is_a_schedule_of_lr_on_every_recipe():
    pairs = list(taken(gw.untuned_warmup))
    assert {gw.AdamH, gw.Adan, gw.AdamS, gw.AMAdamW, gw.ScheduleFreeAdamW, gw.AdamCPR} <= {
        recipe for recipe, _ in pairs
    }
    for recipe, made in pairs:
        betas = (
            {"betas": (0.9, 0.95, 0.95)[: len(recipe.spec.defaults["betas"])]}
            if "betas" in recipe.spec.defaults
            else {}
        )
        chain = made.spec.chain(betas)
        beta = next(
            value for name, value in chain.knobs().items() if name.startswith("untuned_warmup.") and "beta" in name
        )
        lr, knobs = 0.05, {**betas, **with_decay(recipe, 0.1)}
        scheduled = walk(recipe, lr=lr, changes=lambda t: {"lr": 0.05 * -math.expm1(-(1 - beta) * t)}, **knobs)  # noqa: B023
        assert_same(walk(made, lr=lr, **knobs).last, scheduled.last, recipe.recipe_name)


@pytest.mark.parametrize(
    "combinator", [gw.norm_regularized, gw.cautious_decay, gw.untuned_warmup], ids=lambda c: c.__name__
)
def test_nothing_pulls_at_a_learning_rate_of_zero(combinator):
    for recipe, made in taken(combinator):
        if "lr" in recipe.spec.initial:
            continue  # lr is where its steps begin, and they have a least size
        start = _walk()[0]
        assert_same(walk(made, lr=0.0).last, start, recipe.recipe_name)


def test_slow_weights_that_do_not_follow_stay_where_they_began_and_so_do_averages_of_them():
    for recipe, made in taken(gw.lookahead):
        share = gw.lookahead.named(recipe.spec)["alpha"]
        ended = walk(made, k=2, **{share: 0.0})
        assert_same(ended.last, _walk()[0], recipe.recipe_name)
        if any(part.observes for part in made.spec.chain({}).inside):
            ended = walk(made, k=1, **{share: 0.0})
            with ended.optimizer.evaluating():
                assert_same([p.detach().numpy() for p in ended.params], _walk()[0], recipe.recipe_name)


def test_an_average_sees_the_weights_after_lookahead_whichever_was_named_first():
    knobs = {"lr": 0.1, "k": 2, "alpha": 0.3, "average_beta": 0.5}
    one, other = walk(gw.lookahead(gw.averaged(gw.SGD)), **knobs), walk(gw.averaged(gw.lookahead(gw.SGD)), **knobs)
    with one.optimizer.evaluating(), other.optimizer.evaluating():
        assert_same([p.detach().numpy() for p in one.params], [p.detach().numpy() for p in other.params], "averaged")
    parts = gw.transforms
    joined = chain(parts.Scale(0.1), parts.WeightAverage(parts.Exponential(0.9)), parts.Lookahead())
    with pytest.raises(
        ValueError, match="WeightAverage looks at the weights that a step has made, and Lookahead would"
    ):
        joined.check_order(())


def test_a_moment_of_rows_is_that_of_entries_where_the_rows_are_even():
    """Tensors of rows of different lengths, so that what counts rows as entries shows; vectors and numbers too."""
    shapes = ((2, 3), (3, 50), (4,))
    start = [
        np.full(shape, 1.0) * np.arange(1.0, shape[0] + 1).reshape(-1, *[1] * (len(shape) - 1)) for shape in shapes
    ]
    steps = [[(0.1 + t) * (1 + 10 * at) * value for at, value in enumerate(start)] for t in range(STEPS)]
    pairs = list(taken(gw.thrifty))
    assert gw.AdamS in {recipe for recipe, _ in pairs}
    for recipe, made in pairs:
        kept = [at for at, shape in enumerate(shapes) if recipe.spec.only is None or len(shape) > 1]
        args = [start[at] for at in kept], [[step[at] for at in kept] for step in steps]
        knobs = {**with_decay(recipe, 0.1), "losses": [2.0] * STEPS}
        assert_same(run(made, *args, **knobs).last, run(recipe, *args, **knobs).last, recipe.recipe_name)


@pytest.mark.parametrize("form", ["independent", "corrected", "after"])
def test_decoupled_forms_are_those_of_their_equations(form):
    lr, decay, peak = 0.05, 0.1, 0.1
    forms = {
        "independent": (lambda p, q: q - lr / peak * decay * p, {"peak_lr": peak}),
        "corrected": (lambda p, q: q - lr * lr / peak * decay * p, {"peak_lr": peak}),
        "after": (lambda p, q: q * (1 - lr * decay), {}),
    }
    expected, extra = forms[form]
    start, steps = _walk()
    for recipe, made in taken(gw.decoupled):
        knobs = {"losses": [2.0], "lr": lr}
        plain = run(recipe, start, steps[:1], weight_decay=0.0, **knobs).last
        found = run(made, start, steps[:1], weight_decay=decay, decay_form=form, **extra, **knobs).last
        links = made.spec.chain({}).links
        every = [link.only == "*" for link in links if isinstance(link, gw.transforms.Decay)]
        rests = any(isinstance(link, gw.transforms.RestFirst) for link in links)
        if rests:
            assert_same(found, start, recipe.recipe_name)
        elif all(every):
            assert_same(found, [expected(p, q) for p, q in zip(start, plain)], recipe.recipe_name)


def test_a_decay_after_the_step_may_be_cautious():
    lr, decay = 0.3, 0.4
    start, steps = _walk()
    recipe = gw.cautious_decay(gw.decoupled(gw.AdamW))
    found = run(recipe, start, steps[:1], lr=lr, weight_decay=decay, decay_form="after").last
    for one, p, g in zip(found, start, steps[0]):
        stepped = p - lr * g / (np.abs(g) + 1e-8)
        np.testing.assert_allclose(one, stepped * (1 - lr * decay * (np.sign(g) * p >= 0)), rtol=1e-12)
    same = run(
        gw.decoupled(gw.cautious_decay(gw.AdamW)), start, steps[:1], lr=lr, weight_decay=decay, decay_form="after"
    )
    assert_same(found, same.last, "in the other order")


@pytest.mark.parametrize("combinator", [gw.decoupled, gw.cautious_decay], ids=lambda c: c.__name__)
def test_what_reckons_with_its_own_decay_is_not_given_another(combinator):
    with pytest.raises(ValueError, match="AdaptiveMemoryMoment reckons with the recipe's own decay"):
        combinator(gw.AMAdamW)


def test_a_name_that_both_have_is_the_recipes_and_the_combinators_has_its_own_before_it():
    made = gw.lookahead(gw.AdEMAMix)
    assert made.spec.defaults["alpha"] == gw.AdEMAMix.spec.defaults["alpha"]
    assert made.spec.defaults["lookahead_alpha"] == 0.5
    assert "``alpha`` is called ``lookahead_alpha`` here." in made.__doc__
    assert_same(walk(made, lookahead_alpha=1.0, alpha=3.0).last, walk(gw.AdEMAMix, alpha=3.0).last, "AdEMAMix")
    assert not np.array_equal(walk(made, k=2).last[0], walk(made, k=2, lookahead_alpha=0.1).last[0])
    assert pickle.loads(pickle.dumps(made)) is made
    for combinator, recipe, name in (
        (gw.adanorm, gw.MARS, "adanorm_gamma"),
        (gw.adanorm, gw.DoG, "adanorm_gamma"),
        (gw.lookahead, gw.AdaGL, "lookahead_alpha"),
        (gw.softly_clipped, gw.SAdam, "softly_clipped_smooth"),
    ):
        assert name in combinator(recipe).spec.defaults
    with pytest.raises(ValueError, match="alpha=2"):
        walk(made, lookahead_alpha=2.0)
    for combinator, recipe in ((gw.adanorm, gw.AdamNorm), (gw.constrained, gw.AdamCPR)):
        with pytest.raises(ValueError, match="does already what the combinator would do"):
            combinator(recipe)
