"""What must hold of methods that find their own step: d never falls, and a bad start harms nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from tests.properties.draws import arrays, seeds, shapes
from tests.runs import run

KEYS = {
    gw.Prodigy: "prodigy_d",
    gw.DAdaptAdam: "dadapt_adam_d",
    gw.DAdaptSGD: "dadapt_sgd_d",
    gw.DoG: "dog_distance",
    gw.DoWG: "dowg_distance2",
}
ADAPTING = {gw.Prodigy, gw.DAdaptAdam, gw.DAdaptSGD}
each_recipe = pytest.mark.parametrize("recipe", KEYS, ids=lambda recipe: recipe.recipe_name)
each_adapting = pytest.mark.parametrize("recipe", sorted(ADAPTING, key=str), ids=lambda recipe: recipe.recipe_name)


def walk_of(seed, steps=8, size=3):
    stream = np.random.RandomState(seed)
    return [[(stream.standard_normal(size) + 1) * np.exp(stream.standard_normal())] for _ in range(steps)]


@each_recipe
@given(seed=seeds)
def test_the_distance_never_falls(recipe, seed):
    walk, found = walk_of(seed), []
    for count in range(1, len(walk) + 1):
        found.append(float(run(recipe, [np.ones(3)], walk[:count]).state(KEYS[recipe])))
    assert found == sorted(found)
    assert np.isfinite(found).all()


@each_adapting
def test_the_first_step_does_not_change_d(recipe):
    assert run(recipe, [np.ones(3)], walk_of(1, steps=1), d0=1e-3).state(KEYS[recipe]) == 1e-3


@each_adapting
@given(g=arrays(shapes(1, 2)), shift=st.sampled_from([-64.0, 0.5, 1024.0]))
def test_adaptation_does_not_depend_on_the_origin(recipe, g, shift):
    walk = [[g], [0.5 * g], [g + 0.1], [-g]]
    here, there = (run(recipe, [start], walk, d0=1e-2) for start in (np.zeros_like(g), np.full_like(g, shift)))
    np.testing.assert_allclose(there.last[0] - shift, here.last[0], rtol=1e-7, atol=1e-9)


def test_dog_depends_on_the_origin_by_its_first_distance():
    near, far = (run(gw.DoG, [[start]], [[[1.0]]]).last[0][0] - start for start in (0.0, 9.0))
    assert far == pytest.approx(10 * near, rel=1e-6)


@pytest.mark.parametrize("recipe", [*KEYS, gw.LDoG], ids=lambda recipe: recipe.recipe_name)
def test_a_first_gradient_of_zero_is_finite_and_moves_nothing(recipe):
    walk = run(recipe, [[1.0, -2.0]], [[[0.0, 0.0]]] * 2 + [[[0.5, 0.25]]] * 3)
    assert np.array_equal(walk.history[1][0], [1.0, -2.0])
    assert np.isfinite(walk.last[0]).all()
    assert not np.array_equal(walk.last[0], [1.0, -2.0])
    for value in walk.optimizer.state[walk.params[0]].values():
        assert torch.isfinite(torch.as_tensor(value)).all()


@pytest.mark.parametrize("recipe", [gw.Prodigy, gw.DAdaptAdam], ids=lambda recipe: recipe.recipe_name)
def test_before_the_first_gradient_nothing_decays_either(recipe):
    knobs = {"weight_decay": 0.5, "d0": 0.1, "decoupled_weight_decay": True}
    assert np.array_equal(run(recipe, [[1.0]], [[[0.0]]], **knobs).last[0], [1.0])


@each_recipe
def test_a_parameter_without_gradient_takes_no_part(recipe):
    """Its entries are in no sum of that step."""
    walk = walk_of(3, steps=4)
    alone = run(recipe, [np.ones(3)], walk)
    beside = run(recipe, [np.ones(3), np.full(2, 5.0)], [[step[0], None] for step in walk])
    assert np.array_equal(alone.last[0], beside.last[0])


@each_adapting
def test_growth_can_be_limited(recipe):
    walk = [[[1.0]]] * 6
    free = float(run(recipe, [[1.0]], walk, d0=1e-3).state(KEYS[recipe]))
    held = [float(run(recipe, [[1.0]], walk[:t], d0=1e-3, growth_rate=1.02).state(KEYS[recipe])) for t in range(1, 7)]
    # Prodigy may leave d0 in one jump; from then on the limit holds
    begin = next(d for d in held if d > 1e-3)
    assert held[-1] <= begin * 1.02**5 * (1 + 1e-12)
    assert held[-1] < free
    with pytest.raises(ValueError, match=f"{recipe.recipe_name}: growth_rate=0.5 must be at least 1"):
        recipe([torch.zeros(1, requires_grad=True)], growth_rate=0.5)


def test_the_l1_norm_divides():
    """r / ((1 − q) ‖s‖₁): an implementation that multiplies by the norm never grows from d0 = 1e-6."""
    walk = run(gw.DAdaptAdam, [[1.0] * 4], [[[1.0] * 4]] * 60)
    assert walk.state("dadapt_adam_d") > 1e-3


def test_a_penalty_is_no_idle_setting():
    knobs = {"d0": 1e-2, "decoupled_weight_decay": False}
    plain, decayed = (run(gw.Prodigy, [[1.0, 2.0]], walk_of(4, 3, 2), weight_decay=w, **knobs).last for w in (0, 1))
    assert not np.allclose(plain, decayed, rtol=1e-6)


def test_the_lr_of_every_group_counts():
    moves = []
    for lr in (1.0, 0.1):
        params = [torch.zeros(2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
        optimizer = gw.Prodigy([{"params": [params[0]]}, {"params": [params[1]], "lr": lr}], d0=1e-2)
        for param in params:
            param.grad = torch.ones_like(param)
        optimizer.step()
        moves.append(params[1].detach().numpy().copy())
    np.testing.assert_allclose(moves[1], 0.1 * moves[0], rtol=1e-12)


def test_the_correction_counts_every_step_once():
    """k += 2 a step, as one library has it, makes .98151732 of the second step."""
    walk = run(gw.Prodigy, [1.0], [[0.5], [0.4]], d0=0.01, use_bias_correction=True)
    assert walk.last[0] == pytest.approx(0.98011875, abs=1e-8)


@pytest.mark.parametrize("recipe", [gw.Prodigy, gw.DAdaptAdam, gw.DAdaptSGD], ids=lambda recipe: recipe.recipe_name)
def test_half_types_keep_what_d_makes_small(recipe):
    """1e-6 times a gradient has no place in float16; the state has. Near zero the weights can follow."""
    walk = walk_of(5, steps=6)
    half = run(recipe, [np.zeros(3)], walk, dtype=torch.float16)
    full = run(recipe, [np.zeros(3)], walk, dtype=torch.float32)
    assert half.state(KEYS[recipe]) > 0
    np.testing.assert_allclose(half.state(KEYS[recipe]), full.state(KEYS[recipe]), rtol=0.05)


def test_two_methods_in_one_optimizer_keep_their_own_d():
    params = [torch.ones(3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    groups = [{"params": [params[0]], "recipe": "Prodigy"}, {"params": [params[1]], "recipe": "DAdaptAdam"}]
    both = gw.Optimizer(groups, engine="eager")
    walk = walk_of(6, steps=5)
    for step in walk:
        for param in params:
            param.grad = torch.tensor(step[0])
        both.step()
    for param, recipe in zip(params, (gw.Prodigy, gw.DAdaptAdam)):
        np.testing.assert_array_equal(param.detach().numpy(), run(recipe, [np.ones(3)], walk).last[0])
