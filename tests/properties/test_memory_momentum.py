"""PNM, AdaGL and adaptive memory momentum: what their equations imply."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

import gradwright as gw
from tests.runs import gradients, normals, run

MATRIX = ((4, 3),)
STEPS = 8


def moves(recipe, steps, **knobs):
    walk = run(recipe, [0.0], [[g] for g in steps], **{"lr": 1.0, "weight_decay": 0.0, **knobs})
    at = [0.0, *(float(after[0]) for after in walk.history)]
    return [now - then for then, now in pairwise(at)]


FIRST = {
    "PNM": (gw.PNM, {}, 0.169941),
    "AdaPNM": (gw.AdaPNM, {}, 1.699412),
    "AMMSGD": (gw.AMMSGD, {}, 1.0),
    "AMAdamW": (gw.AMAdamW, {}, 0.989120),
    "SOAP": (gw.SOAP, {}, 0.0),
    "AdaGL": (gw.AdaGL, {}, 0.85),
    "SM3": (gw.SM3, {}, 1.0),
    "SMMF": (gw.SMMF, {}, 0.1),
}


@pytest.mark.parametrize("name", FIRST)
def test_the_first_step_on_a_gradient_of_one(name):
    recipe, knobs, length = FIRST[name]
    assert moves(recipe, [1.0], **knobs)[0] == pytest.approx(-length, abs=2e-6)


def test_pnm_settles_where_its_two_averages_agree():
    assert moves(gw.PNM, [1.0] * 400)[-1] == pytest.approx(-1 / math.sqrt(5), rel=1e-9)


def test_the_second_step_of_adapnm_points_against_a_gradient_of_less_than_half_the_first():
    assert moves(gw.AdaPNM, [1.0, 0.3])[1] == pytest.approx(0.242, abs=1e-3)
    assert moves(gw.AdaPNM, [1.0, 0.6])[1] < 0


@pytest.mark.parametrize(("alpha", "downhill"), [(0.0, True), (0.5, True), (0.9, True), (1.5, False)])
def test_adagl_climbs_a_lasting_gradient_where_its_order_is_above_one(alpha, downhill):
    """The weights sum to Π (k − α) / k."""
    assert (math.prod((k - alpha) / k for k in range(1, 11)) > 0) == downhill
    last = moves(gw.AdaGL, [1.0] * 600, alpha=alpha, betas=(0.5, 0.5))[-1]
    assert last == pytest.approx(-0.6 if downhill else 0.6, rel=1e-4)


def test_adagl_of_order_zero_is_adam_eased_by_the_change_of_the_gradient():
    start, steps = normals(MATRIX, 1), gradients(MATRIX, STEPS, 2)
    found = run(gw.AdaGL, start, steps, lr=0.1, alpha=0.0).history
    adam = run(gw.Adam, start, steps, lr=0.1).history
    before, at, its = 0.0, start[0], start[0]
    for t, (g,) in enumerate(steps):
        ease = 1.1 - 0.5 / (1 + np.abs(before - g))
        np.testing.assert_allclose(found[t][0] - at, ease * (adam[t][0] - its), rtol=1e-9, atol=1e-12)
        before, at, its = g, found[t][0], adam[t][0]


def test_adagl_remembers_values_and_not_the_tensor_that_held_them():
    """A history of references would be a history of the newest gradient, where gradients are written in place."""
    fresh, reused = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizers = gw.AdaGL([fresh], lr=0.1), gw.AdaGL([reused], lr=0.1)
    reused.grad = torch.zeros(3)
    for t in range(1, 6):
        fresh.grad = torch.tensor([1.0, -t, 0.1 * t])
        reused.grad.copy_(fresh.grad)
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(fresh, reused)


@pytest.mark.parametrize(("g", "beta"), [((0.0, 1.0), 0.45), ((-1.0, 0.0), 0.175), ((1.0, 0.0), 0.0)])
def test_the_share_of_memory_depends_on_the_angle_between_gradients(g, beta):
    """d = (1, 0) and λ = 0.1; where d and g are the same there is nothing to share."""
    walk = run(gw.AMMSGD, [(0.0, 0.0)], [[(1.0, 0.0)], [g]], lr=1.0)
    expected = ((beta + 0.1) * np.array([1.0, 0.0]) + (1 - beta) * np.array(g)) / 1.1
    np.testing.assert_allclose(walk.state("adaptive_memory.d"), expected, rtol=1e-12)


def test_the_steps_of_ammsgd_grow_with_the_gradients():
    start, steps = [np.zeros((4, 3))], gradients(MATRIX, STEPS, 2)
    plain = run(gw.AMMSGD, start, steps).last[0]
    loud = run(gw.AMMSGD, start, [[64 * g] for (g,) in steps]).last[0]
    np.testing.assert_allclose(loud, 64 * plain, rtol=1e-12)


@pytest.mark.parametrize(("pull", "same"), [(0.0, True), (0.1, False)])
def test_amadamw_minds_the_size_of_gradients_by_its_pull_alone(pull, same):
    start, steps = normals(MATRIX, 1), gradients(MATRIX, STEPS, 2)
    knobs = {"lr": 0.1, "eps": 0.0, "pull": pull}
    plain = run(gw.AMAdamW, start, steps, **knobs).last[0]
    loud = run(gw.AMAdamW, start, [[1000 * g] for (g,) in steps], **knobs).last[0]
    assert np.allclose(loud, plain, rtol=1e-9, atol=1e-12) == same


def test_amadamw_without_pull_on_gradients_that_agree_is_adamw():
    """β then stays at its cap."""
    steps = [[1.0 + 0.01 * t] for t in range(STEPS)]
    knobs = {"lr": 0.1, "betas": (0.89, 0.999), "weight_decay": 0.1}
    found = run(gw.AMAdamW, [1.0], steps, pull=0.0, **knobs).history
    np.testing.assert_allclose(found, run(gw.AdamW, [1.0], steps, **knobs).history, rtol=1e-9)


def test_amadamw_starts_from_a_rate_of_zero():
    """As a warm-up does; the last step then says nothing."""
    start, steps = normals(MATRIX, 1), gradients(MATRIX, STEPS, 2)
    found = run(gw.AMAdamW, start, steps, changes=lambda t: {"lr": 0.0 if t < 4 else 0.1})
    assert np.array_equal(found.history[2][0], start[0])
    assert np.isfinite(found.last[0]).all()
    assert not np.array_equal(found.last[0], start[0])
