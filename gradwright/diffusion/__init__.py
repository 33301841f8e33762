"""Optimal reverse variances of diffusion models: measure the denoiser's error once, then sample in few steps.

The scheduler classes for diffusers are in ``gradwright.diffusion.diffusers``, which needs that package.
"""

from gradwright.diffusion.bound import Bound, decoder_nats, likelihood_bound, prior_divergence, step_divergence
from gradwright.diffusion.error import DenoisingError
from gradwright.diffusion.estimate import estimate_denoising_error
from gradwright.diffusion.estimator import DenoisingErrorEstimator
from gradwright.diffusion.heads import NPR, SN, SecondHead, TwoHeads, head_loss, zero_head
from gradwright.diffusion.reverse import reverse_mean, sample
from gradwright.diffusion.schedule import NoiseSchedule
from gradwright.diffusion.trajectory import (
    ddim_trajectory,
    even_trajectory,
    optimal_trajectory,
    power_trajectory,
    shortest_path,
    step_costs,
    trajectory_cost,
)
from gradwright.diffusion.variance import (
    direction_variance,
    error_gain,
    largest_error,
    noise_cap,
    optimal_variance,
    posterior_variance,
    variance_bounds,
)

__all__ = [
    "NPR",
    "SN",
    "Bound",
    "DenoisingError",
    "DenoisingErrorEstimator",
    "NoiseSchedule",
    "SecondHead",
    "TwoHeads",
    "ddim_trajectory",
    "decoder_nats",
    "direction_variance",
    "error_gain",
    "estimate_denoising_error",
    "even_trajectory",
    "head_loss",
    "largest_error",
    "likelihood_bound",
    "noise_cap",
    "optimal_trajectory",
    "optimal_variance",
    "posterior_variance",
    "power_trajectory",
    "prior_divergence",
    "reverse_mean",
    "sample",
    "shortest_path",
    "step_costs",
    "step_divergence",
    "trajectory_cost",
    "variance_bounds",
    "zero_head",
]
