"""Data with known answers, shared by the tests."""

import torch

from gradwright.diffusion import NoiseSchedule
from gradwright.diffusion.closed_form import GaussianMixture
from tests.diffusion import reference

MIXTURE = GaussianMixture((0.3, 0.7), (-1.0, 0.8), (0.2, 0.1))
NUMPY = reference.Mixture((0.3, 0.7), (-1.0, 0.8), (0.2, 0.1))
GAUSSIAN = GaussianMixture.single(0.4, 0.5)
TWO = NoiseSchedule.from_alphas_cumprod([0.7, 0.5])
LINEAR = NoiseSchedule.linear(1000)

EVERY = torch.arange(1, 1001)
MIXTURE_ERROR = MIXTURE.denoising_error(LINEAR, EVERY)
