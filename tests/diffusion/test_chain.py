"""A chain for Gaussian data, run without sampling: its variance is the data's, whatever the number of steps."""

import functools

import pytest
import torch

from gradwright.diffusion import DenoisingError, even_trajectory
from gradwright.diffusion.closed_form import GaussianMixture, gaussian_chain_variance
from gradwright.diffusion.reverse import fixed_rule
from tests.diffusion.toys import LINEAR

PLAIN = GaussianMixture.single(0.0, 0.5)
EXACT = DenoisingError(LINEAR, torch.arange(1, 1001), PLAIN.denoising_error(LINEAR, torch.arange(1, 1001)))
TRUE = (LINEAR.alpha_bar(1) * 0.25 + LINEAR.beta_bar(1)).item()


def chain(length, variance, eta=1.0):
    rule = fixed_rule(LINEAR, variance, eta)
    return gaussian_chain_variance(LINEAR, even_trajectory(1000, length), 0.25, rule, eta).item()


def test_the_true_variance_of_x_1():
    assert pytest.approx(0.250075, rel=1e-12) == TRUE


@pytest.mark.parametrize("eta", [1.0, 0.0])
def test_with_the_optimal_variance_every_number_of_steps_gives_the_variance_of_the_data(eta):
    # eta = 1 is DDPM, 0 DDIM with noise added
    for length in range(2, 101):
        assert chain(length, EXACT, eta) == pytest.approx(TRUE, rel=1e-11), length


@pytest.mark.parametrize(
    ("length", "small", "large", "ddim"),
    [
        (5, 0.04401816, 0.55874331, 0.05069766),
        (10, 0.10429546, 0.35877224, 0.13085063),
        (50, 0.19655777, 0.26807043, 0.22285305),
        (1000, 0.24629754, 0.25092764, 0.24866401),
    ],
)
def test_with_the_usual_variances_it_does_not(length, small, large, ddim):
    assert chain(length, "small") == pytest.approx(small, abs=6e-9)
    assert chain(length, "large") == pytest.approx(large, abs=6e-9)
    assert chain(length, "small", eta=0.0) == pytest.approx(ddim, abs=6e-9)
    assert chain(length, EXACT) == pytest.approx(TRUE, rel=1e-11)


def test_any_spacing_and_any_data_variance():
    path = [1, 3, 40, 41, 400, 1000]
    for deviation in (0.0, 0.1, 1.0, 3.0):
        data = GaussianMixture.single(0.0, deviation)
        rule = functools.partial(_exact, data)
        true = (LINEAR.alpha_bar(1) * deviation**2 + LINEAR.beta_bar(1)).item()
        assert gaussian_chain_variance(LINEAR, path, deviation**2, rule).item() == pytest.approx(true, rel=1e-11)


def _exact(data, s, t):
    error = DenoisingError(LINEAR, t, data.denoising_error(LINEAR, t))
    return error.variance(s, t)


def test_a_variance_that_is_not_one_is_refused():
    with pytest.raises(ValueError, match="data_variance must not be negative"):
        gaussian_chain_variance(LINEAR, [1, 1000], -0.1, fixed_rule(LINEAR, "small"))
