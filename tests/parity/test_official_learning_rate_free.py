"""The authors' packages take the same steps: prodigyopt, dadaptation and dog-optimizer, several tensors together.

Deliberate differences: the authors refuse groups of different lr; DoG has one distance for each group there and one for
all groups here; D-Adapt SGD measures its first gradient before weight decay there, so that is left out.
"""

import numpy as np
import pytest
import torch

import gradwright as gw
from tests.runs import gradients, normals, run

SHAPES = ((4, 3), (5,), (2, 3, 2, 2))
STEPS = 20


def problem(at_zero=False):
    starts = normals(SHAPES, seed=31)
    if at_zero:
        starts[1] = np.zeros(SHAPES[1])
    # a drift, without which no distance would be found
    return starts, [[g + 1.0 for g in step] for step in gradients(SHAPES, STEPS, seed=32)]


def agree(theirs, recipe, knobs, own, changes=None, at_zero=False, d_key=None):
    starts, walk = problem(at_zero)
    expected = run(theirs, starts, walk, changes=changes, **knobs).history
    walked = run(recipe, starts, walk, changes=changes, **own)
    assert d_key is None or walked.state(d_key) > 1.2 * knobs["d0"], "the problem is too short for d to grow"
    for one, other in zip(walked.history, expected):
        for mine, its in zip(one, other):
            np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-11)


def falling(t):
    return {"lr": 1 / (1 + 0.02 * t)}


PRODIGY = [
    {},
    {"weight_decay": 0.1},
    {"use_bias_correction": True, "weight_decay": 0.1, "betas": (0.8, 0.99)},
    {"safeguard_warmup": True, "beta3": 0.9, "d_coef": 0.5, "growth_rate": 1.2},
    {"weight_decay": 0.1, "decouple": False},
    {"slice_p": 3},
]


@pytest.mark.parametrize("knobs", PRODIGY, ids=str)
@pytest.mark.parametrize("changes", [None, falling], ids=["constant", "schedule"])
def test_prodigy(knobs, changes):
    package = pytest.importorskip("prodigyopt")
    knobs = {"d0": 1e-3, **knobs}
    own = {("decoupled_weight_decay" if key == "decouple" else key): value for key, value in knobs.items()}
    agree(package.Prodigy, gw.Prodigy, knobs, own, changes, at_zero=True, d_key="prodigy_d")


DADAPT_ADAM = [
    {},
    {"use_bias_correction": True, "growth_rate": 1.1},
    {"weight_decay": 0.1, "decouple": True},
    {"weight_decay": 0.1},
]


@pytest.mark.parametrize("knobs", DADAPT_ADAM, ids=str)
@pytest.mark.parametrize("changes", [None, falling], ids=["constant", "schedule"])
def test_dadapt_adam(knobs, changes):
    package = pytest.importorskip("dadaptation")
    knobs = {"d0": 1e-4, **knobs}
    own = {("decoupled_weight_decay" if key == "decouple" else key): value for key, value in knobs.items()}
    agree(package.DAdaptAdam, gw.DAdaptAdam, knobs, own, changes, d_key="dadapt_adam_d")


@pytest.mark.parametrize("knobs", [{"momentum": 0.9}, {"momentum": 0.0, "growth_rate": 1.3}], ids=str)
@pytest.mark.parametrize("changes", [None, falling], ids=["constant", "schedule"])
def test_dadapt_sgd(knobs, changes):
    package = pytest.importorskip("dadaptation")
    knobs = {"d0": 1e-3, **knobs}
    agree(package.DAdaptSGD, gw.DAdaptSGD, knobs, knobs, changes, d_key="dadapt_sgd_d")


@pytest.mark.parametrize("name", ["DoG", "LDoG"])
@pytest.mark.parametrize("knobs", [{}, {"reps_rel": 1e-2, "weight_decay": 0.1, "eps": 1e-3}], ids=str)
def test_dog(name, knobs):
    package = pytest.importorskip("dog")
    agree(getattr(package, name), getattr(gw, name), knobs, knobs)


def test_polynomial_decay_averaging():
    package = pytest.importorskip("dog")
    starts, walk = problem()
    model = torch.nn.ParameterList(torch.nn.Parameter(torch.tensor(start)) for start in starts)
    theirs = package.PolynomialDecayAverager(model)
    optimizer = gw.DoG(model.parameters(), reps_rel=1e-2, engine="eager")
    for step in walk:
        for param, g in zip(model, step):
            param.grad = torch.tensor(g)
        optimizer.step()
        theirs.step()
    with optimizer.evaluating():
        for mine, its in zip(model, theirs.av_model):
            torch.testing.assert_close(mine.data, its.data, rtol=1e-11, atol=1e-13)


def test_dowg_is_optaxs():
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    starts, walk = problem()
    ours = run(gw.DoWG, starts, walk).history
    # 32 bits, since the wider type of jax is a setting of the whole process
    weights = [jax.numpy.asarray(start) for start in starts]
    method = optax.contrib.dowg()
    state = method.init(weights)
    for step, expected in zip(walk, ours):
        updates, state = method.update([jax.numpy.asarray(g) for g in step], state, weights)
        weights = optax.apply_updates(weights, updates)
        for its, mine in zip(weights, expected):
            np.testing.assert_allclose(its, mine, rtol=1e-4, atol=1e-5)
