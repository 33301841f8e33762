"""Worked numbers that are not a recipe's trajectory: evaluation weights, singular values, ratios, step sizes."""

import math

import numpy as np
import pytest
import torch

import gradwright as gw
from gradwright.core import chain
from gradwright.transforms import Ema, Scale
from gradwright.transforms.matrix import sketch
from gradwright.transforms.matrix.orthogonalize import COEFFICIENTS, newton_schulz
from gradwright.transforms.matrix.subspace import Subspace
from tests.families.worked import M2, R0, RG, S3, V0, W0, G, H, S
from tests.reference.muon import response
from tests.runs import as_recipe, run

EIGHT_DIGITS = {"rtol": 0, "atol": 1e-7}
TEN_DIGITS = {"rtol": 0, "atol": 1e-8}

SCHEDULE_FREE = {
    "AdamW": ({"weight_decay": 0}, [0.9, 0.94002309, 0.9284542], [0.9, 0.93638463, 0.92977594]),
    "AdamW with decay": ({"weight_decay": 0.1}, [0.89, 0.92512809, 0.90852369], [0.89, 0.92193463, 0.91075885]),
}
SCHEDULE_FREE_SGD = {
    "SGD": (0, [0.5, 0.665, 0.63], [0.5, 0.65, 0.63333333]),
    "SGD with warm-up": (2, [0.75, 0.996, 0.92], [0.75, 0.99, 0.92777778]),
}


def weights_of_training_and_evaluation(recipe, **knobs):
    """y and x after each of the three gradients."""
    y, x = [], []
    for count in (1, 2, 3):
        walk = run(recipe, [1.0], [[g] for g in S3[:count]], **knobs)
        y.append(walk.params[0].item())
        with walk.optimizer.evaluating():
            x.append(walk.params[0].item())
    return y, x


@pytest.mark.parametrize("name", SCHEDULE_FREE)
def test_schedule_free_adamw_trains_at_y_and_evaluates_at_x(name):
    knobs, y, x = SCHEDULE_FREE[name]
    found = weights_of_training_and_evaluation(gw.ScheduleFreeAdamW, lr=0.1, **knobs)
    np.testing.assert_allclose(found, (y, x), **EIGHT_DIGITS)


@pytest.mark.parametrize("name", SCHEDULE_FREE_SGD)
def test_schedule_free_sgd_is_the_same_part_without_a_moment(name):
    warmup, y, x = SCHEDULE_FREE_SGD[name]
    found = weights_of_training_and_evaluation(gw.ScheduleFreeSGD, warmup_steps=warmup)
    np.testing.assert_allclose(found, (y, x), **EIGHT_DIGITS)


# Printed from an iteration that adds 1e-7 to the norm. Ours adds nothing, so that no gradient is too small for it, and
# differs from the seventh digit on: the reference below is the same with and without that constant.
ORTHOGONALISED = {
    "keller": [[0.67491918, -0.19873741], [0.51553526, 0.99171703]],
    "you": [[0.91263345, -0.39068180], [0.39224567, 0.91419733]],
}


@pytest.mark.parametrize("coefficients", ORTHOGONALISED)
def test_newton_schulz_of_a_worked_matrix(coefficients):
    left, sigma, right = np.linalg.svd(np.array(M2[0]))
    printed, exact = (
        left @ np.diag(response(sigma / (np.linalg.norm(sigma) + eps), coefficients)) @ right for eps in (1e-7, 0)
    )
    np.testing.assert_allclose(printed, ORTHOGONALISED[coefficients], rtol=0, atol=1e-8)
    found = newton_schulz(torch.tensor(M2[0], dtype=torch.float64), COEFFICIENTS[coefficients])
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13)
    if coefficients == "keller":
        np.testing.assert_allclose(torch.linalg.svdvals(found), [1.13063, 0.68261], rtol=0, atol=5e-6)


def test_newton_schulz_aims_at_the_polar_factor():
    """With the classical cubic, which converges to one, the iteration reaches the exact polar factor."""
    found = newton_schulz(torch.tensor(M2[0], dtype=torch.float64), ((1.5, -0.5, 0.0),) * 30)
    np.testing.assert_allclose(found, [[0.91914503, -0.3939193], [0.3939193, 0.91914503]], **EIGHT_DIGITS)


RESPONSES = {  # singular value of the normalised matrix: what keller and what you make of it
    1e-3: (0.4705, 0.475),
    1e-2: (0.699, 1.018),
    0.1: (0.712, 1.019),
    0.3: (1.080, 0.996),
    1.0: (0.696, 0.978),
}
RANGES = {  # smallest singular value: lowest and highest answer up to one, for keller and for you
    0.01: ((0.682, 1.134), (0.978, 1.032)),
    0.001: ((0.471, 1.202), (0.475, 1.145)),
}


def responses(sigma, coefficients):
    """diag(σ, √(1 − σ²)) has norm one, so the iteration answers with what it makes of σ."""
    sigma = torch.as_tensor(sigma, dtype=torch.float64)
    matrix = torch.diag_embed(torch.stack([sigma, (1 - sigma.square()).sqrt()], dim=-1))
    return newton_schulz(matrix, COEFFICIENTS[coefficients])[..., 0, 0]


@pytest.mark.parametrize("sigma", RESPONSES)
def test_each_singular_value_is_mapped_as_published(sigma):
    for coefficients, expected in zip(("keller", "you"), RESPONSES[sigma]):
        assert responses(sigma, coefficients).item() == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("lowest", RANGES)
def test_singular_values_land_in_the_published_range(lowest):
    sigmas = torch.logspace(math.log10(lowest), 0, 20001, dtype=torch.float64).clamp(max=1)
    for coefficients, expected in zip(("keller", "you"), RANGES[lowest]):
        found = responses(sigmas, coefficients)
        assert (found.min().item(), found.max().item()) == pytest.approx(expected, abs=6e-4)


def test_an_average_and_a_sum_point_muon_the_same_way():
    """The Nesterov average is (1 − μ) times the Nesterov sum, from a start at zero."""

    def NesterovAverage(lr=1.0, momentum=0.9):
        return chain(Ema(momentum, nesterov=True), Scale(lr))

    with as_recipe(NesterovAverage) as recipe:
        average = np.array(run(recipe, [1.0], [[g] for g in S3]).history) - 1
    total = np.array(run(gw.SGD, [1.0], [[g] for g in S3], lr=1.0, momentum=0.9, nesterov=True).history) - 1
    np.testing.assert_allclose(average, 0.1 * total, rtol=1e-13)


def test_lamb_ratios():
    """‖W‖ / ‖u‖ with u = r + λ W, where Adam's r is seen from steps of size one."""
    adam = [
        np.array(W0, dtype=float),
        *(step[0] for step in run(gw.Adam, [W0], [[g] for g in G], lr=1, eps=1e-6).history),
    ]
    lamb = [np.array(W0, dtype=float), *(step[0] for step in run(gw.Lamb, [W0], [[g] for g in G], lr=0.1).history)]
    updates = [before - after + 0.01 * w for before, after, w in zip(adam, adam[1:], lamb)]
    ratios = [np.linalg.norm(w) / np.linalg.norm(u) for w, u in zip(lamb, updates)]
    np.testing.assert_allclose(ratios, [2.6974672182, 5.5892157222, 7.7135110296], **TEN_DIGITS)
    moved = [np.linalg.norm(b - a) / np.linalg.norm(u) / 0.1 for a, b, u in zip(lamb, lamb[1:], updates)]
    np.testing.assert_allclose(moved, ratios, rtol=1e-12)


def test_adafactor_moves_fully_on_tiny_gradients_and_torchs_form_does_not():
    tiny = [[1e-8 * np.array(G[0])]]
    paper = run(gw.Adafactor, [W0], tiny).last[0] - W0
    torchs = run(gw.Adafactor, [W0], tiny, form="torch", eps=(torch.finfo(torch.float32).eps, 1e-3)).last[0] - W0
    np.testing.assert_allclose(paper.ravel(), [-0.0212, 0.03, -0.0285, -0.0268], rtol=0, atol=5.1e-5)
    np.testing.assert_allclose(torchs.ravel(), [-0.00023, 0.00046, -0.00069, -0.00092], rtol=0, atol=5.1e-6)


def test_adafactor_divides_a_tall_matrix_by_its_row_and_its_column():
    """Unclipped, one step of size one; an implementation that drops the row factor answers .63246 first."""
    g = [[1, 2], [3, 4], [5, 7]]
    knobs = {"lr": 1.0, "d": 1e9, "relative_step": False, "scale_parameter": False}
    moved = -run(gw.Adafactor, [np.zeros((3, 2))], [[g]], **knobs).last[0]
    expected = [[0.77090, 1.09809], [1.03427, 0.98216], [1.00193, 0.99902]]
    np.testing.assert_allclose(moved, expected, rtol=0, atol=6e-6)


ADALO_LOSSES = [2.3, 2.0, 1.5]
ADALO_AVERAGES = [2.325581395e-4, 4.823255814e-4, 7.675575415e-4]
ADALO_SIZES = {
    "adversarial": [7.751937984e-5, 1.607751938e-4, 2.558525138e-4],
    "compliant": [0.3332558140, 0.3331725581, 0.3330774808],
}


@pytest.mark.parametrize("mode", ADALO_SIZES)
def test_adalo_sizes_follow_the_loss(mode):
    """With β₁ = 0 and without decay a step is the size found times the gradient."""
    knobs = {"mode": mode, "weight_decay": 0, "betas": (0.0, 0.999)}
    walks = [run(gw.AdaLo, [1.0], [[g] for g in S[:t]], losses=ADALO_LOSSES, **knobs) for t in (1, 2, 3)]
    at = [1.0, *(walk.params[0].item() for walk in walks)]
    sizes = [(before - after) / g for before, after, g in zip(at, at[1:], S)]
    np.testing.assert_allclose(sizes, ADALO_SIZES[mode], rtol=1e-9)
    averages = [walk.state("loss_scale").item() for walk in walks]
    np.testing.assert_allclose(averages, ADALO_AVERAGES, rtol=1e-9)


@pytest.mark.parametrize(("mode", "size"), [("adversarial", 0.0775193798), ("compliant", 0.2558139535)])
def test_adalo_settles_where_the_loss_is_constant(mode, size):
    """At 1 / (κ (2 + L)), or the rest of 1 / κ."""
    knobs = {"mode": mode, "weight_decay": 0, "betas": (0.0, 0.5)}
    walk = run(gw.AdaLo, [0.0], [[1.0]] * 60, losses=[2.3] * 60, **knobs)
    last = walk.history[-2][0] - walk.history[-1][0]
    assert last.item() == pytest.approx(size, abs=1e-9)


def test_a_convolution_is_scaled_as_the_matrix_it_is_orthogonalised_as():
    """(256, 16, 3, 3) is 256 by 144, so √(256 / 144) and not √(3 / 3)."""
    g = np.random.RandomState(0).standard_normal((256, 16, 3, 3))
    step = -run(gw.Muon, [np.zeros_like(g)], [[g]], lr=1.0).last[0].reshape(256, 144)
    plain = newton_schulz(torch.tensor(g.reshape(256, 144)), COEFFICIENTS["keller"]).numpy()
    np.testing.assert_allclose(step, 4 / 3 * plain, rtol=1e-9, atol=1e-12)


ADAI = {  # 1 and (1, −2), whose entries have one mean
    "Adai": ({}, [0.990481175432, 0.932790229608, -2.005520821596]),
    "AdaiV2": ({"dampening": 0.9}, [0.988853677150, 0.938228257296, -2.012087510585]),
    "AdaiW": (
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        [0.960850771754, 0.904167985228, -1.945743687037],
    ),
}


@pytest.mark.parametrize("form", ADAI)
def test_adai_takes_the_mean_of_all_tensors(form):
    knobs, expected = ADAI[form]
    walk = run(gw.Adai, [1.0, V0], [[s, h] for s, h in zip(S, H)], lr=0.1, **knobs)
    np.testing.assert_allclose(np.hstack(walk.last), expected, **TEN_DIGITS)


APOLLO_ROWS = {
    "channel": (
        {},
        [0.485716437280, -0.996875308883, 1.993549045360, 1.497619406213, 0.237501235533, -0.741936306700],
        [0.486566805666, -0.998369626841, 1.986233171524, 1.496343853633, 0.237999341519, -0.756568054373],
        [0.486502916301, -1.007308601830, 1.986437460359, 1.496439687681, 0.226825622783, -0.756602102512],
    ),
    "Mini": (
        {"scale_type": "tensor", "scale": 128.0},
        *(None, None),
        [0.414818722353, -1.008146493106, 1.923638204716, 1.428869829353, 0.081167199775, -0.696876347190],
    ),
    "Mini, decay": (
        {"scale_type": "tensor", "scale": 128.0, "weight_decay": 0.1},
        *(None, None),
        [0.413601498417, -1.005189115161, 1.917900562235, 1.424548522761, 0.080893991131, -0.694838094612],
    ),
    "no limit": (
        {"growth": 1e30},
        *(None, None),
        [0.487075310619, -1.041083929465, 1.980262682303, 1.495581096205, 0.186842625148, -0.770554158427],
    ),
}


@pytest.mark.parametrize("form", APOLLO_ROWS)
def test_apollo_on_a_given_basis(form, monkeypatch):
    monkeypatch.setattr(Subspace, "random", lambda *_: torch.tensor([[0.8], [-0.6]], dtype=torch.float64))
    knobs, *rows = APOLLO_ROWS[form]
    walk = run(gw.APOLLO, [R0], [[g] for g in RG], lr=0.01, rank=1, **knobs)
    for found, expected in zip(walk.history, rows):
        if expected is not None:
            # the authors' code adds 1e-8 to lengths
            np.testing.assert_allclose(found[0].ravel(), expected, **EIGHT_DIGITS)


EXACT = ((1.5, -0.5, 0.0),) * 40
"""Newton and Schulz's cubic, so often that nothing is left to converge."""
M3 = [*M2, [[0.15, 0.25], [-0.1, 0.2]]]


def test_scion_on_exact_polar_factors(monkeypatch):
    monkeypatch.setitem(COEFFICIENTS, "exact", EXACT)
    walk = run(gw.Scion, [W0], [[g] for g in M3], lr=0.02, coefficients="exact")
    expected = [
        [0.060854969982, 2.353919298579, 2.546080701421, 3.000854969982],
        [-0.897826669277, 2.595391869826, 2.206608130174, 1.983373330723],
        [-1.868669222578, 2.394231340099, 2.311728659901, 0.954906777422],
    ]
    np.testing.assert_allclose(np.reshape(walk.history, (3, 4)), expected, **TEN_DIGITS)


def test_dion_from_a_given_basis(monkeypatch):
    monkeypatch.setattr(sketch, "first_basis", lambda *_: torch.tensor([[1.0], [0.5]], dtype=torch.float64))
    walk = run(gw.Dion, [W0], [[g] for g in M3], rank_fraction=0.5)
    expected = [
        [0.995903375627, 1.996319069094, 2.993305401003, 3.994030510551],
        [0.995464563708, 1.995169357074, 2.989660676378, 3.984261443036],
        [0.994621552759, 1.991652311470, 2.987305192258, 3.974686307494],
    ]
    np.testing.assert_allclose(np.reshape(walk.history, (3, 4)), expected, **TEN_DIGITS)
    np.testing.assert_allclose(
        walk.state("power_iteration.q").ravel(), [-0.218677981331, -0.975797068252], **EIGHT_DIGITS
    )


def test_dion2_on_exact_polar_factors(monkeypatch):
    monkeypatch.setitem(COEFFICIENTS, "exact", EXACT)
    walk = run(gw.Dion2, [W0], [[g] for g in M3], fraction=0.5, coefficients="exact")
    first = [0.999900000000, 1.999800000000, 2.995227864045, 3.990655728090]
    last = [0.999700029999, 1.999400059998, 2.989805003585, 3.970541206942]
    np.testing.assert_allclose(np.ravel(walk.history[0]), first, **TEN_DIGITS)
    np.testing.assert_allclose(np.ravel(walk.last), last, **TEN_DIGITS)
    np.testing.assert_allclose(walk.state("top_rows.m").ravel(), [0.25, 0.25, 0.1216, 0.8037], **TEN_DIGITS)
