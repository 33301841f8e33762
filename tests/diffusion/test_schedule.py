"""Noise schedules: the named ones, validation, and what a network may predict."""

import numpy as np
import pytest
import torch

from gradwright.diffusion import NoiseSchedule
from gradwright.diffusion.prediction import check_prediction, error_weight, target, to_data, to_noise
from tests.diffusion import reference
from tests.diffusion.toys import LINEAR


def test_cumulative_products_agree_with_numpy():
    ab = reference.alphas_cumprod(np.linspace(1e-4, 0.02, 1000))
    np.testing.assert_allclose(LINEAR.alpha_bar(torch.arange(1001)), ab, rtol=1e-11)
    np.testing.assert_allclose(LINEAR.beta_bar(torch.arange(1001)), 1 - ab, rtol=1e-11)


def test_alphas_cumprod_and_betas_say_the_same():
    again = NoiseSchedule.from_alphas_cumprod(LINEAR.alpha_bar(torch.arange(1, 1001)))
    torch.testing.assert_close(again.betas, LINEAR.betas, rtol=1e-9, atol=0)


def test_the_cosine_and_the_latent_schedule():
    cosine = NoiseSchedule.cosine(100)
    wave = np.cos((np.arange(101) / 100 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(cosine.alpha_bar(torch.arange(100)), wave[:100] / wave[0], rtol=1e-12)
    assert cosine.betas.max() == 0.999
    latent = NoiseSchedule.scaled_linear()
    assert latent.betas[0].item() == pytest.approx(0.00085)
    assert latent.betas.sqrt().diff().std() < 1e-12


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        ([0.1, 0.0, 0.2], r"betas\[1\] is 0.0"),
        ([0.1, 1.0, 0.2], r"betas\[1\] is 1.0"),
        ([0.1, -0.3], r"betas\[1\] is -0.3"),
        ([0.1, float("nan")], r"betas\[1\] is nan"),
        ([], "shape"),
        ([[0.1]], "shape"),
    ],
)
def test_betas_that_do_not_decrease_the_signal_are_refused(betas, message):
    with pytest.raises(ValueError, match=message):
        NoiseSchedule(torch.tensor(betas))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.9, 0.9], "entry 1 is 0.9"),
        ([0.5, 0.9], "entry 1 is 0.9"),
        ([1.0, 0.9], "entry 0 is 1.0.*Leave out the 1"),
        ([0.9, -0.1], "entry 1 is -0.1"),
        ([0.9, float("nan")], "entry 1 is nan"),
    ],
)
def test_alphas_cumprod_that_do_not_decrease_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        NoiseSchedule.from_alphas_cumprod(np.array(values))


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_what_a_network_predicts_is_turned_into_noise_and_data(prediction):
    data, noise, t = torch.randn(5, 3).double(), torch.randn(5, 3).double(), torch.tensor([1, 7, 300, 700, 1000])
    x = LINEAR.add_noise(data, noise, t)
    output = target(LINEAR, prediction, data, noise, t)
    torch.testing.assert_close(to_noise(LINEAR, prediction, output, x, t), noise)
    torch.testing.assert_close(to_data(LINEAR, prediction, output, x, t), data)
    # an error of the output is an error of the data, times the weight
    wrong = to_data(LINEAR, prediction, output + 0.1, x, t) - data
    torch.testing.assert_close(wrong[:, 0] ** 2, 0.01 * error_weight(LINEAR, prediction, t))


def test_unknown_predictions_and_noise_without_signal_are_refused():
    with pytest.raises(ValueError, match="'v_prediction' is 'v'"):
        check_prediction("v_prediction")
    blind = NoiseSchedule(torch.tensor([0.5, 1.0]))
    check_prediction("v", blind)
    with pytest.raises(ValueError, match="does not determine the data"):
        check_prediction("epsilon", blind)


def test_one_time_for_each_row_or_one_for_all():
    x = torch.zeros(4, 2)
    assert LINEAR.scales(3, x)[0].shape == ()
    assert LINEAR.scales(torch.tensor([1, 2, 3, 4]), x)[0].shape == (4, 1)
    with pytest.raises(ValueError, match="3 times for a batch of 4"):
        LINEAR.scales(torch.tensor([1, 2, 3]), x)
