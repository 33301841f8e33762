"""What a network predicts: the noise ε, the data x₀, or v = √ᾱ_t ε − √β̄_t x₀; and how to turn one into another."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gradwright.diffusion.schedule import NoiseSchedule, Time

Prediction = Literal["epsilon", "x0", "v"]
PREDICTIONS = ("epsilon", "x0", "v")


def check_prediction(prediction: str, schedule: NoiseSchedule | None = None) -> None:
    """Refuse an unknown prediction, and ε where x_N holds no data from which x₀ could be told."""
    if prediction not in PREDICTIONS:
        raise ValueError(
            f"prediction must be one of {PREDICTIONS}, got {prediction!r}; diffusers' 'sample' is 'x0' here and its "
            f"'v_prediction' is 'v'"
        )
    if schedule is not None and prediction == "epsilon" and schedule.alpha_bar(schedule.steps) == 0:
        raise ValueError(
            "prediction='epsilon' does not determine the data at the last time, where alphas_cumprod is 0; "
            "such a schedule needs a network that predicts 'v' or 'x0'"
        )


def target(schedule: NoiseSchedule, prediction: Prediction, data: Tensor, noise: Tensor, t: Time) -> Tensor:
    """What the network should have said: ε, x₀, or v = √ᾱ_t ε − √β̄_t x₀. Shapes (B, ...)."""
    check_prediction(prediction)
    if prediction == "epsilon":
        return noise
    if prediction == "x0":
        return data
    signal, spread = schedule.scales(t, data)
    return signal * noise - spread * data


def to_noise(schedule: NoiseSchedule, prediction: Prediction, output: Tensor, x: Tensor, t: Time) -> Tensor:
    """ε̂ from the network's output at x_t: ε̂ = (x_t − √ᾱ_t x̂₀) / √β̄_t, or √ᾱ_t v̂ + √β̄_t x_t. Shapes (B, ...)."""
    check_prediction(prediction)
    if prediction == "epsilon":
        return output
    signal, spread = schedule.scales(t, x)
    return (x - signal * output) / spread if prediction == "x0" else signal * output + spread * x


def to_data(schedule: NoiseSchedule, prediction: Prediction, output: Tensor, x: Tensor, t: Time) -> Tensor:
    """x̂₀ from the network's output at x_t: x̂₀ = (x_t − √β̄_t ε̂) / √ᾱ_t, or √ᾱ_t x_t − √β̄_t v̂. Shapes (B, ...)."""
    check_prediction(prediction)
    if prediction == "x0":
        return output
    signal, spread = schedule.scales(t, x)
    return (x - spread * output) / signal if prediction == "epsilon" else signal * x - spread * output


def error_weight(schedule: NoiseSchedule, prediction: Prediction, t: Time) -> Tensor:
    """The factor from a squared error of the output to one of the data: β̄_t / ᾱ_t for ε, 1 for x₀, β̄_t for v.

    At a fixed x_t each of the three is a linear function of the others, so an error of one is that of another, scaled.
    """
    check_prediction(prediction)
    if prediction == "epsilon":
        return schedule.beta_bar(t) / schedule.alpha_bar(t)
    return schedule.beta_bar(t) if prediction == "v" else torch.ones_like(schedule.beta_bar(t))
