"""Averages beside training: they are the weighted means they say, and training does not notice them."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gradwright as gw
from gradwright.core import chain
from gradwright.training import PowerSnapshot, power_mixture, power_snapshots
from gradwright.transforms import Exponential, PolynomialDecay, PowerFunction, Scale, WeightAverage
from gradwright.transforms.weights.average import gamma_of_width, width_of_gamma
from tests.properties.draws import arrays, shapes
from tests.reference.averaged import weights_of
from tests.runs import as_recipe, gradients, normals, run

STARTS = ("debias", "ramp", "power", "none")
widths = st.floats(0.01, 12**-0.5)


def averaged_walk(recipe, walk, **knobs):
    found = run(recipe, [np.zeros(3)], walk, **knobs)
    with found.optimizer.evaluating():
        return found, found.params[0].detach().numpy().copy()


def random_walk(steps):
    return [[g] for (g,) in gradients([(3,)], steps, seed=61)]


def shares(start, beta, steps):
    t = np.arange(1, steps + 1)
    return {
        "debias": (1 - beta) / (1 - beta**t),
        "ramp": 1 - np.minimum(beta, (1 + t) / (10 + t)),
        "power": 1 - np.minimum(beta, 1 - t ** (-2 / 3)),
        "none": np.full(steps, 1 - beta),
    }[start]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("beta", [0.0, 0.6, 0.95])
def test_the_exponential_average_is_a_weighted_mean(start, beta):
    found, average = averaged_walk(gw.averaged(gw.SGD), random_walk(12), lr=0.1, average_beta=beta, average_start=start)
    path = np.array([np.zeros(3), *(step[0] for step in found.history)])
    weights = weights_of([1.0, *shares(start, beta, 12)])
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(average, weights @ path, rtol=1e-12, atol=1e-14)


def test_debias_is_adams_correction():
    """The average of the weights alone, from zero, over 1 − βᵗ."""
    found, average = averaged_walk(gw.averaged(gw.SGD), random_walk(9), lr=0.1, average_beta=0.9)
    from_zero = sum(0.1 * 0.9 ** (8 - t) * step[0] for t, step in enumerate(found.history))
    np.testing.assert_allclose(average, from_zero / (1 - 0.9**9), rtol=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 6.94])
def test_the_power_function_weighs_every_step_by_its_share_of_the_run(gamma):
    """∫ from (τ − 1)/t to τ/t of (γ + 1) u^γ."""

    def Averaged(lr=0.1):
        return chain(Scale(lr), WeightAverage(PowerFunction(gamma)))

    with as_recipe(Averaged) as recipe:
        found, average = averaged_walk(recipe, random_walk(10))
    edges = (np.arange(11) / 10) ** (gamma + 1)
    np.testing.assert_allclose(average, np.diff(edges) @ [step[0] for step in found.history], rtol=1e-12)


@pytest.mark.parametrize("window", [PowerFunction(0.0), PolynomialDecay(0.0)], ids=str)
def test_without_an_exponent_it_is_the_plain_mean(window):
    def Averaged(lr=0.1):
        return chain(Scale(lr), WeightAverage(window))

    with as_recipe(Averaged) as recipe:
        found, average = averaged_walk(recipe, random_walk(7))
    np.testing.assert_allclose(average, np.mean([step[0] for step in found.history], axis=0), rtol=1e-12)


def test_published_shares_of_the_power_function():
    found = {
        sigma: [1 - PowerFunction(gamma_of_width(sigma)).share(t) for t in (1, 2, 3, 10, 100)] for sigma in (0.05, 0.1)
    }
    np.testing.assert_allclose(found[0.05], [0, 4e-6, 0.000684, 0.150535, 0.834747], rtol=0, atol=6e-7)
    np.testing.assert_allclose(found[0.1], [0, 0.00408, 0.040025, 0.433325, 0.923327], rtol=0, atol=6e-7)


def test_published_exponents_of_widths():
    assert gamma_of_width(0.05) == pytest.approx(16.972198602, abs=1e-8)
    assert gamma_of_width(0.10) == pytest.approx(6.937203938, abs=1e-8)
    assert gamma_of_width(12**-0.5) == pytest.approx(0.0, abs=1e-12)


@given(sigma=widths)
def test_width_and_exponent_are_inverse(sigma):
    assert width_of_gamma(gamma_of_width(sigma)) == pytest.approx(sigma, rel=1e-9)


@pytest.mark.parametrize("sigma", [0.0, 0.3, 1.0])
def test_impossible_widths_are_refused(sigma):
    with pytest.raises(ValueError, match=r"sigma_rel=.* is outside \(0, 0.288\]"):
        gw.power_averaged(gw.SGD)([torch.zeros(1, requires_grad=True)], sigma_rel=sigma)
    with pytest.raises(ValueError, match="outside"):
        gamma_of_width(sigma)


def test_an_unknown_start_is_refused_by_name():
    with pytest.raises(ValueError, match="start='soon' is unknown; known are debias, ramp, power, none"):
        Exponential(0.9, "soon")


COMBINED = {
    "averaged": lambda recipe: gw.averaged(recipe),
    "power": lambda recipe: gw.power_averaged(recipe),
    "polynomial": lambda recipe: gw.polynomial_averaged(recipe),
}


@pytest.mark.parametrize("name", COMBINED)
@given(g=arrays(shapes(0, 2)), base=st.sampled_from([gw.AdamW, gw.Lion, gw.lookahead(gw.SGD)]))
def test_training_does_not_notice(name, g, base):
    walk = [[g], [g + 1], [-g]]
    plain, beside = run(base, [g], walk), run(COMBINED[name](base), [g], walk)
    for one, other in zip(plain.history, beside.history):
        assert np.array_equal(one[0], other[0])


@pytest.mark.parametrize("name", COMBINED)
@given(g=arrays(shapes(0, 2)), dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]))
def test_eval_and_train_bring_the_weights_back_bit_for_bit(name, g, dtype):
    walk = run(COMBINED[name](gw.SGD), [g], [[g], [g + 1], [-g]], dtype=dtype, lr=0.1)
    before = walk.params[0].detach().clone()
    walk.optimizer.eval()
    walk.optimizer.train()
    assert torch.equal(walk.params[0], before)


def test_constant_weights_are_their_own_average():
    walk = run(gw.averaged(gw.SGD), [[0.1, 0.7]], [[[0.0, 0.0]]] * 20, average_beta=0.9)
    with walk.optimizer.evaluating():
        assert walk.params[0].tolist() == [0.1, 0.7]


def test_a_half_type_does_not_swallow_the_average():
    """A thousandth of a small step is below the last digit of bfloat16."""
    recipe = gw.averaged(gw.SGD)
    walk = run(recipe, [[1.0]], [[[1.0]]] * 40, dtype=torch.bfloat16, lr=0.01, average_beta=0.999, average_start="none")
    average = walk.optimizer.state[walk.params[0]]["weight_average.average"]
    assert average.dtype == torch.float32
    assert 0.98 < average.item() < 0.999


def test_a_tensor_that_joins_late_is_averaged_by_its_own_age():
    walk = run(gw.polynomial_averaged(gw.SGD), [[0.0], [5.0]], [[[1.0], None], [[1.0], [1.0]]], lr=1.0)
    with walk.optimizer.evaluating():
        assert walk.params[1].item() == 4.0


def test_two_averages_to_evaluate_at_are_refused():
    with pytest.raises(ValueError, match="each keep weights of their own"):
        gw.averaged(gw.ScheduleFreeAdamW)


def test_combinators_pickle_and_are_made_once():
    assert gw.averaged(gw.AdamW) is gw.averaged(gw.AdamW)
    assert copy.deepcopy(gw.power_averaged(gw.AdamW)) is gw.power_averaged(gw.AdamW)


def test_the_published_mixture():
    snapshots = [
        PowerSnapshot(step, sigma, [torch.tensor([float(step)]), torch.tensor(sigma)])
        for step in (50, 100)
        for sigma in (0.05, 0.10)
    ]
    weights, coefficients = power_mixture(snapshots, 0.15)
    expected = [-0.014496, 0.05014139, -0.34051189, 1.3048665]
    np.testing.assert_allclose(coefficients, expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(weights[0], np.dot(expected, [50, 50, 100, 100]), rtol=1e-6)
    assert weights[1].shape == ()


def test_a_mixture_finds_an_average_that_was_not_kept():
    walk = [[g] for (g,) in gradients([(4,)], 400, seed=62)]
    start = normals([(4,)], seed=63)
    recipe = gw.power_averaged(gw.SGD)
    snapshots = []
    for count in range(50, 401, 50):
        part = run(recipe, start, walk[:count], lr=0.02, sigma_rel=0.1, second_sigma_rel=0.05)
        snapshots += power_snapshots(part.optimizer)
    wanted = run(recipe, start, walk, lr=0.02, sigma_rel=0.15)
    with wanted.optimizer.evaluating():
        expected = wanted.params[0].detach().clone()
    (found,), coefficients = power_mixture(snapshots, 0.15)
    away = (expected - wanted.params[0].detach()).abs().max()
    assert sum(coefficients) == pytest.approx(1.0)
    assert (found - expected).abs().max() < 0.05 * away


def test_mixing_is_refused_with_a_way_out():
    optimizer = gw.AdamW([torch.zeros(1, requires_grad=True)])
    with pytest.raises(ValueError, match="build the optimizer with"):
        power_snapshots(optimizer)
    with pytest.raises(ValueError, match="snapshots is empty"):
        power_mixture([], 0.1)
    twice = [PowerSnapshot(10, 0.1, [torch.zeros(1)])] * 2
    with pytest.raises(ValueError, match="leave one of them out"):
        power_mixture(twice, 0.1)
