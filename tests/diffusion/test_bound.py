"""The bound: each term against its definition, the optimum, and the true entropy where it is known."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from gradwright.diffusion import (
    DenoisingError,
    decoder_nats,
    even_trajectory,
    likelihood_bound,
    prior_divergence,
    step_divergence,
    trajectory_cost,
)
from tests.diffusion import reference
from tests.diffusion.toys import LINEAR, MIXTURE, TWO


def test_a_step_by_the_textbook_divergence_and_its_least_value():
    mse = 0.373859221492
    small, gain = 0.171428571429, 0.228571428571
    for variance in (0.1, 0.256882107770, 0.9):
        found = step_divergence(TWO, 1, 2, mse, variance).item()
        assert found == pytest.approx(reference.gaussian_divergence(small, variance, gain * mse), rel=1e-9)
        assert found >= 0.5 * math.log(0.256882107770 / small) - 1e-12
    best = step_divergence(TWO, 1, 2, mse, 0.256882107770).item()
    assert best == pytest.approx(0.5 * math.log(0.256882107770 / small), rel=1e-9)


def test_the_prior_by_the_textbook_divergence():
    ab = LINEAR.alpha_bar(400).item()
    expected = reference.gaussian_divergence(1 - ab, 1.0, ab * 0.37)
    assert prior_divergence(LINEAR, 400, 0.37) == pytest.approx(expected, rel=1e-12)


@pytest.fixture(scope="module")
def mixture_error():
    times = torch.cat([torch.arange(1, 100), torch.arange(100, 1001, 10)])
    return DenoisingError(LINEAR, times, MIXTURE.denoising_error(LINEAR, times))


@pytest.mark.parametrize("length", [2, 5, 200])
def test_the_bound_of_the_exact_network_is_above_the_entropy_and_meets_it_with_many_steps(mixture_error, length):
    error = mixture_error
    x = np.linspace(-4, 4, 40_001)
    density = reference.Mixture((0.3, 0.7), (-1.0, 0.8), (0.2, 0.1)).density(x, 1.0)
    entropy = -(density * np.log(np.maximum(density, 1e-300))).sum() * (x[1] - x[0])
    # a Gaussian decoder at its best variance, which is the error at time 1
    decoder = 0.5 * math.log(2 * math.pi * math.e * error.at(1).item())
    second = 0.3 * (1 + 0.04) + 0.7 * (0.64 + 0.01)
    path = even_trajectory(1000, length)
    bound = likelihood_bound(error, path, second_moment=second, decoder=decoder)
    assert bound.nats > entropy
    assert sum(bound.steps) == pytest.approx(trajectory_cost(error, path), rel=1e-9)
    for variance in ("small", "large"):
        worse = likelihood_bound(error, path, second_moment=second, decoder=decoder, variance=variance)
        assert worse.nats > bound.nats
    if length == 200:
        assert bound.nats == pytest.approx(entropy, abs=0.1)
        assert bound.bits == pytest.approx(bound.nats / math.log(2))


def test_one_variance_a_pixel_tightens_the_bound():
    times = torch.tensor([1, 500, 1000])
    pixels = DenoisingError(LINEAR, times, torch.tensor([[1e-5, 1e-4], [0.01, 0.5], [0.02, 0.9]]))
    mean = DenoisingError(LINEAR, times, pixels.estimate.mean(1))
    path = [1, 300, 1000]
    both = [
        likelihood_bound(pixels, path, second_moment=1.0, decoder=0.0, variance=variance).nats
        for variance in (pixels, mean)
    ]
    assert both[0] < both[1]
    # at time 300 the pixels are interpolated one by one, and the mean of that is not the interpolated mean
    assert both[1] == pytest.approx(likelihood_bound(mean, path, second_moment=1.0, decoder=0.0).nats, rel=0.002)


def test_the_decoder_gives_each_level_its_mass():
    levels = torch.arange(17) / 8 - 1.0
    for mean, deviation in ((0.3, 0.1), (-1.4, 0.05), (0.9, 0.7)):
        middle = np.append(np.arange(16) / 8 - 1 + 1 / 16, np.inf)
        mass = np.diff(stats.norm.cdf(middle, mean, deviation), prepend=0)
        for k in range(17):
            if mass[k] > 1e-12:
                found = decoder_nats(levels[k], torch.tensor(mean, dtype=torch.float64), deviation**2, 1 / 8)
                assert math.exp(-found) == pytest.approx(mass[k], rel=1e-5)
    # far away the mass is tiny but its logarithm is not lost
    far = decoder_nats(torch.tensor(1.0), torch.tensor(-1.0), 1e-4, 1 / 8)
    assert far == pytest.approx(-stats.norm.logsf(1 - 1 / 16, -1, 0.01), rel=1e-9)
    near = decoder_nats(torch.tensor(0.5), torch.tensor(-1.0), 1e-4, 1 / 8)
    assert near == pytest.approx(-stats.norm.logsf(0.5 - 1 / 16, -1, 0.01), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step_divergence(TWO, 0, 1, 0.1, 0.1), "infinite"),
        (lambda: step_divergence(TWO, 1, 2, 0.1, 0.1, eta=0.0), "infinite"),
        (lambda: decoder_nats(torch.tensor([0.1]), torch.zeros(1), 0.1, 1 / 8), "levels 0.125 apart"),
        (lambda: decoder_nats(torch.tensor([1.125]), torch.zeros(1), 0.1, 1 / 8), "levels 0.125 apart"),
        (lambda: decoder_nats(torch.zeros(2), torch.zeros(1), 0.1, 1 / 8), "mean must have the data's shape"),
        (lambda: bound_of([1, 5]), "must end at time 1000"),
        (lambda: bound_of([2, 1000]), "must start at time 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def bound_of(path):
    return likelihood_bound(DenoisingError(LINEAR, [1, 1000], [0.1, 0.2]), path, second_moment=1.0, decoder=0.0)
