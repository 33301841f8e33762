"""The measured curve as a value: saved and loaded, interpolated, clipped, made monotone, read from published arrays."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from gradwright.diffusion import DenoisingError, NoiseSchedule, optimal_variance
from gradwright.diffusion.closed_form import GaussianMixture
from gradwright.diffusion.isotonic import isotonic
from tests.diffusion.toys import EVERY, GAUSSIAN, LINEAR, MIXTURE, MIXTURE_ERROR, TWO


def test_what_is_saved_is_loaded(tmp_path):
    error = DenoisingError(LINEAR, [1, 5, 1000], torch.rand(3, 2, 1), torch.rand(3, 2, 1), [7, 8, 9], "residual")
    error.save(tmp_path / "error.pt")
    again = DenoisingError.load(tmp_path / "error.pt")
    for name in ("times", "estimate", "standard_error", "count"):
        assert torch.equal(getattr(again, name), getattr(error, name))
    assert torch.equal(again.schedule.betas, LINEAR.betas)
    assert again.source == "residual"
    DenoisingError(TWO, [1], [0.5]).save(tmp_path / "bare.pt")
    assert DenoisingError.load(tmp_path / "bare.pt").standard_error is None


def test_another_file_or_a_later_one_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="does not hold a DenoisingError"):
        DenoisingError.load(tmp_path / "model.pt")
    DenoisingError(TWO, [1], [0.5]).save(tmp_path / "error.pt")
    torch.save({**torch.load(tmp_path / "error.pt"), "format": 99}, tmp_path / "error.pt")
    with pytest.raises(ValueError, match="format 99"):
        DenoisingError.load(tmp_path / "error.pt")


@pytest.mark.parametrize("toy", [GAUSSIAN, MIXTURE], ids=["gaussian", "mixture"])
def test_thirty_times_tell_all_thousand_within_four_percent(toy):
    times = torch.logspace(0, 3, 30).round().long().unique()
    sparse = DenoisingError(LINEAR, times, toy.denoising_error(LINEAR, times))
    exact = MIXTURE_ERROR if toy is MIXTURE else toy.denoising_error(LINEAR, EVERY)
    assert (sparse.at(EVERY) / exact - 1).abs().max() < 0.04
    torch.testing.assert_close(sparse.at(times), sparse.mse, rtol=0, atol=0)
    assert sparse.at(7).shape == ()


def test_interpolation_next_to_zeros_and_without_signal():
    schedule = NoiseSchedule(torch.tensor([0.1, 0.2, 0.5, 1.0]))
    error = DenoisingError(schedule, [1, 3, 4], torch.tensor([[0.0, 0.1], [0.2, 0.3], [0.4, 0.5]]))
    middle = error.at(torch.tensor([2, 3, 4]))
    assert middle.shape == (3, 2)
    assert torch.isfinite(middle).all()
    assert 0 < middle[0, 0] < 0.2
    with pytest.raises(ValueError, match=r"between the first and the last measured time, 2 ... 3, got 1"):
        DenoisingError(schedule, [2, 3], [0.1, 0.2]).at(1)


def test_interpolation_up_to_a_time_without_data():
    schedule = NoiseSchedule(torch.cat([torch.linspace(1e-4, 0.05, 199, dtype=torch.float64), torch.ones(1)]))
    every = torch.arange(60, 201)
    for toy, tolerance in ((GaussianMixture.single(0.0, 1.0), 1e-9), (GAUSSIAN, 0.04), (MIXTURE, 0.2)):
        times = torch.tensor([1, 60, 200])
        sparse = DenoisingError(schedule, times, toy.denoising_error(schedule, times))
        exact = toy.denoising_error(schedule, every)
        assert (sparse.at(every) / exact - 1).abs().max() < tolerance
        assert (exact[0] / exact - 1).abs().max() > 2 * tolerance


def test_published_noise_powers_are_read_with_and_without_the_unused_entry():
    mse = MIXTURE_ERROR
    power = 1 - mse * LINEAR.alpha_bar(EVERY) / LINEAR.beta_bar(EVERY)
    torch.testing.assert_close(DenoisingError(LINEAR, EVERY, mse).noise_power, power)
    for array in (power.numpy(), np.concatenate([[0.0], power.numpy()])):
        torch.testing.assert_close(DenoisingError.from_noise_power(LINEAR, array).mse, mse, rtol=1e-8, atol=0)
    some = DenoisingError.from_noise_power(LINEAR, power[[0, 499, 999]], times=[1, 500, 1000])
    torch.testing.assert_close(some.mse[1], mse[499])
    # the authors' arrays are float32: Γ near one keeps three digits of 1 − Γ at time 1000
    coarse = DenoisingError.from_noise_power(LINEAR, power.float())
    assert 1e-5 < abs(coarse.mse[-1] / mse[-1] - 1) < 1e-2
    with pytest.raises(ValueError, match="must have 1000 rows, or 1001"):
        DenoisingError.from_noise_power(LINEAR, power[:10])
    with pytest.raises(ValueError, match="one row for each of 2 times"):
        DenoisingError.from_noise_power(LINEAR, power[:10], times=[1, 2])


def test_clipping_to_what_an_exact_denoiser_can_have():
    error = DenoisingError(TWO, [1, 2], torch.tensor([[-0.1, 0.2], [0.9, 1.5]]))
    torch.testing.assert_close(error.mse, torch.tensor([[0.0, 0.2], [0.9, 1.5]]).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(error.clipped().mse[1], torch.tensor([0.9, 1.0]).double(), rtol=1e-6, atol=0)
    assert error.clipped((-0.5, 0.5)).mse.max() == 0.25
    assert error.estimate.min() < 0  # the value itself did not change
    torch.testing.assert_close(error.variance(1, 2), optimal_variance(TWO, 1, 2, error.mse[1]))


def test_the_nearest_curve_that_never_falls():
    rng = np.random.default_rng(0)
    values, weights = np.sort(rng.normal(size=8)) + rng.normal(size=8), rng.uniform(0.5, 2, 8)
    ours = isotonic(torch.tensor(values), torch.tensor(weights)).numpy()
    rises = [{"type": "ineq", "fun": lambda y, i=i: y[i + 1] - y[i]} for i in range(7)]
    theirs = minimize(lambda y: (weights * (y - values) ** 2).sum(), np.sort(values), constraints=rises, tol=1e-12).x
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_monotone_mends_the_late_times_of_the_noise_power():
    exact = MIXTURE_ERROR
    ratio = LINEAR.beta_bar(EVERY) / LINEAR.alpha_bar(EVERY)
    spread = 0.01 * ratio
    noisy = exact + spread * torch.randn(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    error = DenoisingError(LINEAR, EVERY, noisy, spread, source="noise_power")
    assert (error.mse == 0).sum() > 50
    mended = error.monotone().mse
    assert (mended.diff() >= 0).all()
    assert (mended > 0).all()
    middle = slice(50, 500)
    assert (mended / exact - 1).abs()[middle].max() < 0.1 < 0.4 < (error.mse / exact - 1).abs()[middle].max()
    pixels = DenoisingError(LINEAR, EVERY, torch.stack([noisy, exact], 1)).monotone()
    torch.testing.assert_close(pixels.estimate[:, 1], exact)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([2, 1], [0.1, 0.2]), "increasing times"),
        (([0, 1], [0.1, 0.2]), "times must lie in 1 ... 2"),
        (([1, 2], [0.1]), "one row for each of the 2 times"),
        (([1, 2], [0.1, float("nan")]), r"NaN or infinite at times \[2\]"),
        (([1, 2], [0.1, 0.2], [0.1]), "standard_error must have shape"),
        (([1, 2], [0.1, 0.2], None, [3]), "count must have shape"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DenoisingError(TWO, *arguments)
