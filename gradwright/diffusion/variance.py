"""The optimal variance of a reverse step, and its bounds: pure functions of a schedule and one number, the error.

With mse_t = E‖x₀ − x̂₀(x_t)‖² / d, the error of the denoiser per dimension, the Gaussian p(x_s | x_t) that is nearest in
Kullback-Leibler divergence has the denoiser's mean and the variance

    σ*²(s, t) = λ² + (√ᾱ_s − √((β̄_s − λ²) ᾱ_t / β̄_t))² mse_t,        λ² = η² β̃,   β̃ = β_{t|s} β̄_s / β̄_t

η = 1 is DDPM and η = 0 is DDIM. Analytic-DPM (arXiv:2201.06503) states it by Γ_t = E‖ε*(x_t)‖² / d, which for the
exact network is the same: mse_t = (β̄_t / ᾱ_t)(1 − Γ_t).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradwright.diffusion.check import check_data_range, check_eta
from gradwright.diffusion.schedule import NoiseSchedule, Time


def posterior_variance(schedule: NoiseSchedule, s: Time, t: Time, eta: float = 1.0) -> Tensor:
    """λ² = η² β_{t|s} β̄_s / β̄_t, the variance of q(x_s | x_t, x₀): DDPM's "small" variance at η = 1; float64."""
    return check_eta(eta) ** 2 * schedule.beta(s, t) * schedule.beta_bar(s) / schedule.beta_bar(t)


def direction_variance(schedule: NoiseSchedule, s: Time, t: Time, eta: float = 1.0) -> Tensor:
    """β̄_s − λ², the part of the noise in x_s that points along ε̂; float64.

    Written as β̄_s (α_{t|s} β̄_s + (1 − η²) β_{t|s}) / β̄_t, a sum of positive numbers.
    """
    rest = schedule.alpha(s, t) * schedule.beta_bar(s) + (1 - check_eta(eta) ** 2) * schedule.beta(s, t)
    return schedule.beta_bar(s) * rest / schedule.beta_bar(t)


def error_gain(schedule: NoiseSchedule, s: Time, t: Time, eta: float = 1.0) -> Tensor:
    """(√ᾱ_s − √((β̄_s − λ²) ᾱ_t / β̄_t))², the share of the denoiser's error that reaches x_s; float64.

    At η = 1 it is ᾱ_s β_{t|s}² / β̄_t². Written without the difference, as ᾱ_s ((1 − r) / (1 + √r))² with
    r = α_{t|s} (β̄_s − λ²) / β̄_t and 1 − r = β_{t|s} (β̄_t + η² α_{t|s} β̄_s) / β̄_t².
    """
    alpha, beta, beta_bar = schedule.alpha(s, t), schedule.beta(s, t), schedule.beta_bar(t)
    ratio = alpha * direction_variance(schedule, s, t, eta) / beta_bar
    gap = beta * (beta_bar + eta**2 * alpha * schedule.beta_bar(s)) / beta_bar**2
    return schedule.alpha_bar(s) * (gap / (1 + ratio.sqrt())) ** 2


def optimal_variance(schedule: NoiseSchedule, s: Time, t: Time, mse: float | Tensor, eta: float = 1.0) -> Tensor:
    """σ*²(s, t) = λ² + gain · mse_t, the variance of the step from ``t`` to ``s`` that is nearest to the truth.

    Args:
        schedule: the noise schedule.
        s: where the step ends, 0 ... N − 1.
        t: where it starts, after ``s``.
        mse: the denoiser's mean squared error at ``t`` in the units of the data, per dimension, per channel or per
            pixel, or E[(x₀ − x̂₀)² | x_t] of each entry; any shape that broadcasts (:func:`estimate_denoising_error`).
        eta: 1 is DDPM, 0 is DDIM, in between their mixtures.

    Returns:
        float64, of the broadcast shape.

    Raises:
        ValueError: ``mse`` is negative or not finite, ``eta`` leaves [0, 1], or the times do not increase.

    Reference: arXiv:2201.06503, theorem 1; for an imperfect network arXiv:2206.07309.

    Example:
        >>> schedule = NoiseSchedule.from_alphas_cumprod([0.7, 0.5])
        >>> round(optimal_variance(schedule, 1, 2, mse=0.373859221492).item(), 6)
        0.256882
    """
    mse = torch.as_tensor(mse, dtype=torch.float64).detach()
    if not (torch.isfinite(mse).all() and (mse >= 0).all()):
        raise ValueError(
            f"mse must be finite and not negative, but reaches from {mse.min().item()} to {mse.max().item()}; "
            f"the 'residual' estimator cannot be negative, the other two must be clamped at 0"
        )
    small, gain = posterior_variance(schedule, s, t, eta), error_gain(schedule, s, t, eta)
    return small.to(mse.device) + gain.to(mse.device) * mse


def largest_error(schedule: NoiseSchedule, t: Time, data_range: tuple[float, float] | None = None) -> Tensor:
    """The largest mse_t that the exact denoiser can have: β̄_t / ᾱ_t, and ((b − a) / 2)² for data in [a, b]; float64.

    mse_t is a mean over x_t. The variance Var[x₀ | x_t] of a single state can exceed β̄_t / ᾱ_t, never ((b − a) / 2)².
    """
    bound = schedule.beta_bar(t) / schedule.alpha_bar(t)
    if data_range is None:
        return bound
    low, high = check_data_range(data_range)
    return bound.clamp(max=((high - low) / 2) ** 2)


def variance_bounds(
    schedule: NoiseSchedule, s: Time, t: Time, eta: float = 1.0, data_range: tuple[float, float] | None = None
) -> tuple[Tensor, Tensor]:
    """The least and the largest optimal variance that any data can have with its exact network; float64.

        λ² ≤ σ*² ≤ λ² + (√(β̄_t / α_{t|s}) − √(β̄_s − λ²))²,    for data in [a, b] also λ² + gain ((b − a) / 2)²

    They concern the variance for mse_t, the mean over x_t, and not that of a single state. Data in one point meets the
    lower bound. At η = 1 the upper one is β_{t|s} / α_{t|s}.
    """
    low = posterior_variance(schedule, s, t, eta)
    high = schedule.beta_bar(t) / schedule.alpha_bar(t)  # infinite where ᾱ_t = 0 and no range is given
    if data_range is not None:
        high = largest_error(schedule, t, data_range)
    return low, low + error_gain(schedule, s, t, eta) * high


def noise_cap(pixels: float = 2.0, level: float = 2 / 255) -> float:
    """The variance at which noise σz has E|σz| = ``pixels`` · ``level``: (pixels · level · √(π/2))².

    The step that ends next to the data must not add visible noise. The authors cap its variance at two levels of grey
    for DDPM on small images (``pixels=2``) and at one for large images and for DDIM; images in [−1, 1] with 256 levels.
    """
    if not (pixels > 0 and level > 0):
        raise ValueError(f"pixels and level must be positive, got {pixels} and {level}; pass no cap to have none")
    return (pixels * level * math.sqrt(math.pi / 2)) ** 2
