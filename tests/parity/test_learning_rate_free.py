"""Sums that run over all parameters: several tensors, in one group or several, are one long vector cut into pieces."""

import numpy as np
import pytest
import torch

import gradwright as gw
from tests.reference import learning_rate_free as reference
from tests.reference.schedule_free import schedule_free_plus
from tests.runs import follow, gradients, normals, run

SHAPES = ((4, 3), (5,), (), (2, 3, 2))
STEPS = 30
METHODS = {
    "Prodigy": (gw.Prodigy, reference.prodigy, {"d0": 1e-3, "weight_decay": 0.1}),
    "DAdaptAdam": (gw.DAdaptAdam, reference.dadapt_adam, {"d0": 1e-4, "decoupled_weight_decay": True}),
    "DAdaptSGD": (gw.DAdaptSGD, reference.dadapt_sgd, {"d0": 1e-3}),
    "DoG": (gw.DoG, reference.dog, {"reps_rel": 1e-3}),
    "DoWG": (gw.DoWG, reference.dowg, {}),
    "ScheduleFreePlus": (gw.ScheduleFreePlus, schedule_free_plus, {"weight_decay": 1.0, "polyak_beta": 0.5}),
}
D = {"Prodigy": "prodigy_d", "DAdaptAdam": "dadapt_adam_d", "DAdaptSGD": "dadapt_sgd_d", "DoG": "dog_distance"}
each_method = pytest.mark.parametrize("name", METHODS)


def problem():
    """Gradients with a drift, without which no distance would be found."""
    walk = [[g + 0.5 for g in step] for step in gradients(SHAPES, STEPS, seed=52)]
    return normals(SHAPES, seed=51), walk, list(np.linspace(2.0, 1.0, STEPS))


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


@each_method
@pytest.mark.parametrize("groups", [False, True], ids=["one group", "a group each"])
def test_tensors_share_one_step_size(name, groups):
    recipe, method, knobs = METHODS[name]
    starts, walk, losses = problem()
    losses = losses if "loss" in recipe.chain().all_needs else None
    roles = [""] * len(starts) if groups else None
    found = run(recipe, starts, walk, losses=losses, roles=roles, **knobs)
    settings = {**recipe.spec.defaults, **knobs}
    expected = follow(method, flat(starts), [flat(step) for step in walk], losses=losses, **settings)
    for one, other in zip(found.history, expected):
        np.testing.assert_allclose(flat(one), other, rtol=1e-11, atol=1e-12)
    for key, value in found.optimizer.state[found.params[0]].items():
        if isinstance(value, torch.Tensor) and value.dim() == 0 and "_" in key and "." not in key:
            assert all(found.optimizer.state[param][key] is value for param in found.params)


def test_ldog_takes_tensors_one_by_one():
    """The worked numbers of the catalogue: two scalars."""
    walk = run(gw.LDoG, [1.0, 1.0], [(0.5, -0.2), (-0.3, 0.4), (0.2, 0.1)], reps_rel=0.01)
    expected = [[0.98, 1.02], [0.99028992, 1.00211145], [0.98380106, 0.9977471]]
    np.testing.assert_allclose(walk.history, expected, rtol=0, atol=1e-7)


def test_dog_evaluates_at_the_average():
    starts, walk, _ = problem()
    found = run(gw.DoG, starts, walk, reps_rel=1e-3)
    state = {}
    p = flat(starts)
    for step in walk:
        p = reference.dog(state, p, flat(step), lr=1.0, reps_rel=1e-3, weight_decay=0.0, eps=1e-8, gamma=8.0)
    with found.optimizer.evaluating():
        average = flat([param.detach().numpy() for param in found.params])
    np.testing.assert_allclose(average, state["average"], rtol=1e-12)


@pytest.mark.parametrize("name", D)
def test_d_grows_as_the_reference_says(name):
    recipe, method, knobs = METHODS[name]
    starts, walk, _ = problem()
    settings = {**recipe.spec.defaults, **knobs}
    state, p = {}, flat(starts)
    for step in walk:
        p = method(state, p, flat(step), **settings)
    found = run(recipe, starts, walk, **knobs).state(D[name])
    assert found > 2 * knobs.get("d0", 1e-3), "the problem is too short for d to grow"
    np.testing.assert_allclose(found, state["r" if name == "DoG" else "d"], rtol=1e-10)
