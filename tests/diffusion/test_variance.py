"""The formulas: the worked numbers of a mixture, identities, and agreement with numpy written from the paper."""

import math

import numpy as np
import pytest
import torch

from gradwright.diffusion import (
    NoiseSchedule,
    direction_variance,
    error_gain,
    largest_error,
    noise_cap,
    optimal_variance,
    posterior_variance,
    variance_bounds,
)
from tests.diffusion import reference
from tests.diffusion.toys import GAUSSIAN, LINEAR, MIXTURE, NUMPY, TWO


def near(value, expected, rel=1e-10):
    assert float(value) == pytest.approx(expected, rel=rel)


def test_the_worked_mixture_at_alphas_cumprod_0_7_and_0_5():
    mse = MIXTURE.denoising_error(TWO, 2)
    near(mse, 0.373859221492)
    near(1 - mse * TWO.alpha_bar(2) / TWO.beta_bar(2), 0.626140778508)
    near(posterior_variance(TWO, 1, 2), 0.171428571429)
    near(TWO.beta(1, 2), 0.285714285714)
    near(optimal_variance(TWO, 1, 2, mse), 0.256882107770)
    near(error_gain(TWO, 1, 2, eta=0.0), 0.083484861009)
    near(optimal_variance(TWO, 1, 2, mse, eta=0.0), 0.031211585143)
    near(posterior_variance(TWO, 1, 2, eta=0.5), 0.042857142857)
    near(error_gain(TWO, 1, 2, eta=0.5), 0.108614719719)
    near(optimal_variance(TWO, 1, 2, mse, eta=0.5), 0.083463757414)
    near(error_gain(TWO, 1, 2, eta=1.0), 0.228571428571)


def test_noise_power_and_mse_of_the_mixture_agree_with_independent_quadrature():
    for t in (1, 2):
        ab = TWO.alpha_bar(t).item()
        near(MIXTURE.denoising_error(TWO, t), (1 - ab) / ab * (1 - NUMPY.noise_power(ab)), rel=1e-9)
    for t in (300, 700, 1000):
        near(MIXTURE.denoising_error(LINEAR, t), NUMPY.denoising_error(LINEAR.alpha_bar(t).item()), rel=1e-10)


def test_what_the_mixture_knows_at_single_points():
    x = torch.tensor([-1.0, -0.2, 0.3, 1.0], dtype=torch.float64)
    mean, variance = MIXTURE.posterior(TWO, x, 2)
    noise = MIXTURE.noise(TWO, x, 2)
    expected = {
        "mean": (mean, (-0.683998502, 0.136018904, 0.542231879, 0.754744368)),
        "variance": (variance, (0.518488010, 0.744588340, 0.391951644, 0.096073179)),
        "noise": (noise, (-0.730215060, -0.418861616, -0.117967810, 0.659469194)),
        "second": (noise**2 + variance, (1.051702045, 0.920033394, 0.405868048, 0.530972797)),
        "sn": (optimal_variance(TWO, 1, 2, variance), (0.289940117, 0.341620192, 0.261017519, 0.193388155)),
    }
    for name, (found, wanted) in expected.items():
        np.testing.assert_allclose(found, wanted, atol=1.1e-9, err_msg=name)
    for i, point in enumerate(x.tolist()):
        by_force = NUMPY.moments(point, 0.5)
        np.testing.assert_allclose((mean[i], variance[i], (noise**2 + variance)[i]), by_force, rtol=1e-9)
    np.testing.assert_allclose(noise, -np.sqrt(0.5) * NUMPY.score(x.numpy(), 0.5), rtol=1e-12)
    # the heuristic (β̄ / ᾱ)(1 − ε̂²) without a trained head is far off
    near(1 - noise[3] ** 2, 0.5651, rel=1e-4)


def test_the_linear_schedule_of_a_thousand_steps():
    near(LINEAR.alpha_bar(100), 0.8970181457)
    near(LINEAR.alpha_bar(500), 0.0785872429, rel=1e-9)
    times = torch.tensor([1, 10, 100, 400, 500, 900, 1000])
    mse = MIXTURE.denoising_error(LINEAR, times)
    power = 1 - mse * LINEAR.alpha_bar(times) / LINEAR.beta_bar(times)
    wanted = (0.00767958, 0.12527802, 0.76212624, 0.85625223, 0.94377688, 0.99980751, 0.99997177)
    np.testing.assert_allclose(power, wanted, atol=5.1e-9)
    near(LINEAR.beta(400, 500), 0.5972909324)
    near(posterior_variance(LINEAR, 400, 500), 0.5217333129)
    near(mse[4], 0.6591998560)
    near(optimal_variance(LINEAR, 400, 500, mse[4]), 0.5757889699)
    near(optimal_variance(LINEAR, 400, 500, mse[4], eta=0.0), 0.0212988297, rel=1e-8)


def test_a_single_gaussian_has_its_closed_form():
    plain = GAUSSIAN  # s² = 0.25
    mse = plain.denoising_error(TWO, 2)
    near(1 - mse, 0.8)  # Γ = β̄ / (ᾱ s² + β̄), and β̄ = ᾱ here
    near(optimal_variance(TWO, 1, 2, mse), 0.2171428571, rel=1e-9)
    v = lambda ab: ab * 0.25 + 1 - ab  # noqa: E731
    near(optimal_variance(TWO, 1, 2, mse), v(0.7) - 0.5 / 0.7 * v(0.7) ** 2 / v(0.5), rel=1e-13)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_every_pair_of_a_schedule_agrees_with_the_paper_in_numpy(eta):
    schedule = NoiseSchedule.linear(60, 0.001, 0.3)
    ab = reference.alphas_cumprod(schedule.betas.numpy())
    for s in range(0, 60, 7):
        for t in range(s + 1, 61, 5):
            found = optimal_variance(schedule, s, t, 0.37, eta)
            near(found, reference.optimal_variance(ab[s], ab[t], 0.37, eta), rel=1e-9)


def test_the_paper_writes_the_same_in_noise_power():
    gamma = 0.626140778508
    ratio = TWO.beta(1, 2) / TWO.alpha(1, 2)
    near(ratio * (1 - TWO.beta(1, 2) * gamma / TWO.beta_bar(2)), 0.256882107770)


def test_a_point_mass_has_the_small_variance_and_unit_normal_data_the_large():
    s, t = torch.arange(0, 1000), torch.arange(1, 1001)
    torch.testing.assert_close(optimal_variance(LINEAR, s, t, 0.0), posterior_variance(LINEAR, s, t), rtol=0, atol=0)
    # Γ = β̄: mse = β̄
    torch.testing.assert_close(optimal_variance(LINEAR, s, t, LINEAR.beta_bar(t)), LINEAR.betas, rtol=1e-11, atol=0)


def test_eta_1_is_ddpm():
    s, t = torch.arange(1, 900, 50), torch.arange(60, 960, 50)
    ddpm = LINEAR.alpha_bar(s) * LINEAR.beta(s, t) ** 2 / LINEAR.beta_bar(t) ** 2
    torch.testing.assert_close(error_gain(LINEAR, s, t), ddpm, rtol=1e-13, atol=0)


def test_the_bounds_hold_and_are_met():
    for eta in (0.0, 0.5, 1.0):
        low, high = variance_bounds(TWO, 1, 2, eta)
        b, lam = TWO.beta_bar(2), eta**2 * 0.171428571429
        near(high, lam + (math.sqrt(b / (0.5 / 0.7)) - math.sqrt(0.3 - lam)) ** 2, rel=1e-9)
        assert low < optimal_variance(TWO, 1, 2, MIXTURE.denoising_error(TWO, 2), eta) < high
    near(variance_bounds(TWO, 1, 2)[1], 0.285714285714 / (0.5 / 0.7))
    near(variance_bounds(TWO, 1, 2, data_range=(-0.5, 0.5))[1], 0.171428571429 + 0.25 * 0.228571428571)
    near(largest_error(TWO, 1), 3 / 7)
    near(largest_error(LINEAR, 500, data_range=(-1, 1)), 1.0)


def test_where_nothing_of_the_data_is_left_the_formulas_stay_finite():
    schedule = NoiseSchedule(torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64))
    assert schedule.alpha_bar(3) == 0
    assert schedule.beta_bar(3) == 1
    near(optimal_variance(schedule, 1, 3, 0.25), 0.2 + 0.8 * 0.25)  # x_1 drawn afresh around the mean of the data
    near(direction_variance(schedule, 1, 3, eta=0.0), 0.2)


def test_the_noise_cap_of_the_authors():
    near(noise_cap(1), 9.66272250e-05, rel=1e-8)
    near(noise_cap(2), 3.86508900e-04, rel=1e-8)


def test_small_betas_keep_their_digits():
    schedule = NoiseSchedule(torch.full((1000,), 1e-9, dtype=torch.float64))
    near(schedule.beta_bar(1), 1e-9, rel=1e-15)
    near(schedule.beta(500, 501), 1e-9, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimal_variance(TWO, 1, 2, -0.1), "mse must be finite and not negative.*-0.1"),
        (lambda: optimal_variance(TWO, 1, 2, float("nan")), "mse must be finite"),
        (lambda: optimal_variance(TWO, 1, 2, 0.1, eta=1.5), r"eta must lie in \[0, 1\].*1.5"),
        (lambda: optimal_variance(TWO, 2, 1, 0.1), "s=2, t=1; swap"),
        (lambda: posterior_variance(TWO, 1, 3), r"t must lie in 0 ... 2, got 3.*counted from zero"),
        (lambda: largest_error(TWO, 1, (1, -1)), "low < high"),
        (lambda: noise_cap(0), "positive"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_time_is_an_integer():
    with pytest.raises(TypeError, match=r"t must be an integer time.*0.5"):
        LINEAR.alpha_bar(0.5)
