"""Run a chain backwards, from noise to data, in a few steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from gradwright.diffusion.check import as_trajectory, check_cap, check_data_range, check_eta, check_output
from gradwright.diffusion.error import DenoisingError
from gradwright.diffusion.estimate import evaluating
from gradwright.diffusion.estimator import Network
from gradwright.diffusion.heads import SecondHead, split_heads
from gradwright.diffusion.prediction import Prediction, check_prediction, to_data, to_noise
from gradwright.diffusion.schedule import NoiseSchedule
from gradwright.diffusion.variance import direction_variance, optimal_variance, posterior_variance

Variance = DenoisingError | SecondHead | Literal["small", "large"]
Rule = Callable[[int, int], Tensor]


def reverse_mean(schedule: NoiseSchedule, s: int, t: int, data: Tensor, noise: Tensor, eta: float = 1.0) -> Tensor:
    """√ᾱ_s x̂₀ + √(β̄_s − λ²) ε̂, the mean of the step from ``t`` to ``s``; shaped like ``data``.

    Where ε̂ = (x_t − √ᾱ_t x̂₀) / √β̄_t and η = 1 this is DDPM's (β_{t|s} √ᾱ_s / β̄_t) x̂₀ + (√α_{t|s} β̄_s / β̄_t) x_t.

    Args:
        data: x̂₀, clipped or not.
        noise: ε̂, that of x̂₀ or the network's own.
    """
    signal = schedule.alpha_bar(s).sqrt().to(data)
    return signal * data + direction_variance(schedule, s, t, eta).sqrt().to(data) * noise


def fixed_rule(schedule: NoiseSchedule, variance: DenoisingError | str, eta: float = 1.0) -> Rule:
    """``rule(s, t)``: the variance of a step that does not depend on x.

    Args:
        variance: a :class:`DenoisingError` for the optimal one, "small" for λ², "large" for β_{t|s} (with η = 1 only).

    Raises:
        ValueError: another name, another schedule, or "large" with η < 1.
    """
    eta = check_eta(eta)
    if isinstance(variance, DenoisingError):
        if not torch.equal(variance.schedule.betas, schedule.betas):
            raise ValueError(
                "variance was measured with another schedule; measure it with the one that is sampled from"
            )
        return lambda s, t: variance.variance(s, t, eta)
    if variance == "small":
        return lambda s, t: posterior_variance(schedule, s, t, eta)
    if variance == "large":
        if eta != 1:
            raise ValueError(
                f"variance='large' is DDPM's and goes with eta=1, got eta={eta}; use 'small' or a measured one"
            )
        return lambda s, t: schedule.beta(s, t)
    raise ValueError(f"variance must be a DenoisingError, SN(), NPR(), 'small' or 'large', got {variance!r}")


@torch.no_grad()
def sample(
    network: Network,
    schedule: NoiseSchedule,
    trajectory: Sequence[int],
    shape: Sequence[int],
    variance: Variance,
    *,
    eta: float = 1.0,
    prediction: Prediction = "epsilon",
    data_range: tuple[float, float] | None = None,
    rederive_noise: bool = True,
    cap: float | None = None,
    cap_steps: int = 1,
    condition: Sequence[Any] = (),
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    allow_short: bool = False,
) -> Tensor:
    """Draw data: x_N ~ N(0, I), then x_s = mean + σ z along the trajectory; the last step, to the data, adds no noise.

    Args:
        network: ``network(x_t, t, *condition)`` with t (B,) in 1 ... N, put into eval mode for the time being.
        schedule: the schedule of the network.
        trajectory: increasing times from 1 to N, such as :func:`optimal_trajectory` gives.
        shape: of the samples, (B, ...).
        variance: a :class:`DenoisingError` for the optimal variance; SN() or NPR() if the network has a second head;
            "small" or "large" for DDPM's two.
        eta: 1 is DDPM, 0 is DDIM's mean. With an error, the optimal variance is added to DDIM's too.
        prediction: what the network predicts.
        data_range: clip x̂₀ to (a, b); None for data without bounds.
        rederive_noise: take ε̂ from the clipped x̂₀, so that at eta=1 the mean is DDPM's. False keeps the network's own,
            as the authors do in DDIM. No difference where nothing was clipped.
        cap: the largest variance of the steps that end next to the data, :func:`noise_cap`; None for no cap.
        cap_steps: how many steps it concerns: 1 is the step into time 1 alone.
        condition: handed on to the network.
        start: x at the last time, instead of drawing it.
        generator: of the noise; on the device of the samples.
        device, dtype: of the samples.
        allow_short: let the trajectory end before N.

    Raises:
        ValueError: a trajectory that does not start and end where it must, a network whose output does not fit.
    """
    path = as_trajectory(trajectory, schedule.steps, allow_short)
    check_prediction(prediction, schedule)
    if cap is not None:
        check_cap(cap, cap_steps, len(path))
    draw = lambda: torch.randn(tuple(shape), generator=generator, device=device, dtype=dtype)  # noqa: E731
    if start is not None and tuple(start.shape) != tuple(shape):
        raise ValueError(f"start must have shape {tuple(shape)}, got {tuple(start.shape)}")
    rule = None if isinstance(variance, SecondHead) else fixed_rule(schedule, variance, eta)
    x = draw() if start is None else start.to(device, dtype)
    with evaluating(network):
        for s, t in reversed(list(zip([0, *path], path))):
            output = network(x, torch.full((len(x),), t, device=x.device), *condition)
            second = None
            if rule is None:
                output, second = split_heads(output, x, t)
            check_output(output, x, t)
            noise = to_noise(schedule, prediction, output, x, t)
            data = to_data(schedule, prediction, output, x, t)
            predicted = noise
            if data_range is not None:
                data = data.clamp(*check_data_range(data_range))
                if rederive_noise:
                    signal, spread = schedule.scales(t, x)
                    noise = (x - signal * data) / spread
            x = reverse_mean(schedule, s, t, data, noise, eta)
            if s == 0:
                break
            if rule is None:
                square = optimal_variance(schedule, s, t, variance.mse(schedule, predicted, second, t), eta)
            else:
                square = rule(s, t)
            if cap is not None and s <= path[cap_steps - 1]:
                square = square.clamp(max=cap)
            x = x + square.sqrt().to(x) * draw()
    return x
