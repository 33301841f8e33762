"""The bound on the negative log-likelihood of a chain: prior, steps and decoder, each in nats per dimension."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.diffusion.check import as_trajectory, check_data_range, in_double
from gradwright.diffusion.error import DenoisingError
from gradwright.diffusion.reverse import fixed_rule
from gradwright.diffusion.schedule import NoiseSchedule
from gradwright.diffusion.variance import error_gain, posterior_variance


@dataclass(frozen=True)
class Bound:
    """−ln p(x₀) ≤ prior + Σ steps + decoder, each an average over data and dimensions, in nats.

    Args:
        prior: KL(q(x_N | x₀) ‖ N(0, I)).
        steps: KL(q(x_s | x_t, x₀) ‖ p(x_s | x_t)) of each step, from the data outwards.
        decoder: −E ln p(x₀ | x_1).
    """

    prior: float
    steps: tuple[float, ...]
    decoder: float

    @property
    def nats(self) -> float:
        """The bound in nats per dimension."""
        return self.prior + sum(self.steps) + self.decoder

    @property
    def bits(self) -> float:
        """The bound in bits per dimension."""
        return self.nats / math.log(2)


def step_divergence(
    schedule: NoiseSchedule, s: int, t: int, mse: float | Tensor, variance: float | Tensor, eta: float = 1.0
) -> Tensor:
    """E KL(q(x_s | x_t, x₀) ‖ N(mean, σ²)) = ½ (ln(σ² / λ²) + (λ² + gain · mse) / σ² − 1), nats per dimension; float64.

    It is least at σ² = λ² + gain · mse, which is where the optimal variance comes from.

    Raises:
        ValueError: η = 0, where λ is 0 and the divergence infinite, or s = 0, which is the decoder's part.
    """
    if s == 0 or eta == 0:
        raise ValueError(f"s={s}, eta={eta}: the divergence is infinite where q(x_s | x_t, x₀) has no variance")
    small = posterior_variance(schedule, s, t, eta)
    mse, variance = (torch.as_tensor(value, dtype=torch.float64) for value in (mse, variance))
    ratio = (small + error_gain(schedule, s, t, eta) * mse) / variance
    return 0.5 * (torch.log(variance / small) + ratio - 1)


def prior_divergence(schedule: NoiseSchedule, t: int, second_moment: float) -> float:
    """KL(q(x_t | x₀) ‖ N(0, I)) = ½ (ᾱ_t E x₀² − ᾱ_t − ln β̄_t), nats per dimension.

    Args:
        second_moment: E x₀², the mean over data and dimensions.
    """
    signal, noise = schedule.alpha_bar(t), schedule.beta_bar(t)
    return 0.5 * (signal * (second_moment - 1) - noise.log()).item()


def likelihood_bound(
    error: DenoisingError,
    trajectory: Sequence[int],
    *,
    second_moment: float,
    decoder: float,
    variance: DenoisingError | str | None = None,
    eta: float = 1.0,
    allow_short: bool = False,
) -> Bound:
    """The bound of a chain that visits ``trajectory``; nothing is sampled but what ``error`` was measured on.

    Args:
        error: the denoiser's error on the data that the bound is for, by source="residual": with another source the
            result is the bound of an exact network, not of yours.
        trajectory: increasing times from 1 to N.
        second_moment: E x₀² of the data.
        decoder: −E ln p(x₀ | x_1) per dimension, from :func:`decoder_nats`.
        variance: of the steps: "small", "large", or an error measured on other data; None for ``error``.
        eta: more than 0; DDIM's chain at 0 has no finite bound.
    """
    path = as_trajectory(trajectory, error.schedule.steps, allow_short)
    rule = fixed_rule(error.schedule, error if variance is None else variance, eta)
    steps = tuple(
        step_divergence(error.schedule, s, t, error.at(t), rule(s, t), eta).mean().item()
        for s, t in itertools.pairwise(path)
    )
    return Bound(prior_divergence(error.schedule, path[-1], second_moment), steps, float(decoder))


def decoder_nats(
    data: Tensor, mean: Tensor, variance: float | Tensor, width: float, data_range: tuple[float, float] = (-1.0, 1.0)
) -> float:
    """−ln p(x₀ | x_1) for data on even levels: the Gaussian's mass on the level's interval, nats per dimension.

    The lowest and the highest level own the tails, so the masses sum to one (DDPM, section 3.3).

    Args:
        data: x₀ on the levels, any shape.
        mean: x̂₀(x_1), shaped like it.
        variance: of the Gaussian; any shape that broadcasts. The authors use β̃(1, 2).
        width: the distance of two levels, 2/255 for 8-bit images in [−1, 1].
        data_range: the lowest and the highest level.
    """
    low, high = check_data_range(data_range)
    data, mean = in_double(data), in_double(mean)
    if data.shape != mean.shape:
        raise ValueError(f"mean must have the data's shape {tuple(data.shape)}, got {tuple(mean.shape)}")
    level = (data - low) / width
    if (level - level.round()).abs().max() > 1e-3 or level.min() < -1e-3 or data.max() > high + 1e-3 * width:
        raise ValueError(f"data must lie on levels {width} apart from {low} to {high}; check width and data_range")
    deviation = torch.as_tensor(variance, dtype=torch.float64).to(data.device).sqrt()
    upper = torch.where(data > high - width / 2, torch.inf, (data + width / 2 - mean) / deviation)
    lower = torch.where(data < low + width / 2, -torch.inf, (data - width / 2 - mean) / deviation)
    # the difference of two distribution functions near one loses all digits; that of their mirror images does not
    flip = lower > 0
    upper, lower = torch.where(flip, -lower, upper), torch.where(flip, -upper, lower)
    log_upper, log_lower = torch.special.log_ndtr(upper), torch.special.log_ndtr(lower)
    return -(log_upper + torch.log1p(-torch.exp(log_lower - log_upper))).mean().item()
