"""Three ways to measure the error of a denoiser. They agree for the exact network; they differ for every other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor

from gradwright.diffusion.check import in_double
from gradwright.diffusion.prediction import Prediction, error_weight, target, to_data, to_noise
from gradwright.diffusion.schedule import NoiseSchedule, Time
from gradwright.diffusion.tally import Tally

Per = Literal["scalar", "channel", "pixel"]


class Observation(NamedTuple):
    """One call of the network: x₀, ε, x_t, each (B, ...), the output and its time."""

    data: Tensor
    noise: Tensor
    x: Tensor
    output: Tensor
    t: int


def pool(values: Tensor, per: Per) -> Tensor:
    """The mean of ``values`` (B, C, ...) over what is not kept: (B,), (B, C, 1, ...) or (B, C, ...)."""
    if per == "scalar":
        return values.flatten(1).mean(1) if values.dim() > 1 else values
    return values.mean(tuple(range(2, values.dim())), keepdim=True) if per == "channel" and values.dim() > 2 else values


@dataclass(frozen=True)
class Source:
    """How calls of the network become an estimate of mse_t: values to average, and what their mean says."""

    per: Per = "scalar"

    def observe(self, schedule: NoiseSchedule, prediction: Prediction, seen: Observation) -> Tensor:
        """One number, or one for each channel or pixel, of each row of the batch: (B, ...)."""
        raise NotImplementedError

    def finish(
        self, schedule: NoiseSchedule, prediction: Prediction, times: Time, tally: Tally, data: Tally
    ) -> tuple[Tensor, Tensor | None]:
        """mse at ``times`` (T, ...) and its standard error, from the means of what was observed and of the data."""
        raise NotImplementedError


@dataclass(frozen=True)
class Residual(Source):
    """mse_t = w_t E(y − ŷ)², y the network's own target and w_t its weight (β̄_t / ᾱ_t for ε): the training loss.

    It cannot be negative, it is optimal for the network at hand, not for an ideal one, and it keeps its relative
    precision where x_t is nearly pure noise.
    """

    def observe(self, schedule, prediction, seen):
        wanted = target(schedule, prediction, seen.data, seen.noise, seen.t)
        return pool((in_double(wanted) - in_double(seen.output)) ** 2, self.per)

    def finish(self, schedule, prediction, times, tally, data):
        weight = error_weight(schedule, prediction, times).reshape(-1, *[1] * (tally.mean.dim() - 1))
        return weight * tally.mean, weight * tally.standard_error


@dataclass(frozen=True)
class NoisePower(Source):
    """mse_t = (β̄_t / ᾱ_t)(1 − Γ_t), Γ_t = E ε̂²: Analytic-DPM as published.

    It takes the network for exact: an error δ² of ε̂ is subtracted where it should be added. At late times 1 − Γ_t is
    the small difference of two numbers near one, so sampling error alone can make it negative.
    """

    def observe(self, schedule, prediction, seen):
        return pool(in_double(to_noise(schedule, prediction, seen.output, seen.x, seen.t)) ** 2, self.per)

    def finish(self, schedule, prediction, times, tally, data):
        weight = schedule.beta_bar(times) / schedule.alpha_bar(times)
        weight = weight.reshape(-1, *[1] * (tally.mean.dim() - 1))
        return weight * (1 - tally.mean), weight * tally.standard_error


@dataclass(frozen=True)
class DataVariance(Source):
    """mse_t = Var(x₀) − Var(x̂₀(x_t)), the law of total variance. Takes the network for exact, and may be negative."""

    def observe(self, schedule, prediction, seen):
        # variances of single entries cannot be had from pooled values, so pooling waits until the end
        return in_double(to_data(schedule, prediction, seen.output, seen.x, seen.t))

    def finish(self, schedule, prediction, times, tally, data):
        return pool(data.variance - tally.variance, self.per), None


SOURCES: dict[str, type[Source]] = {"residual": Residual, "noise_power": NoisePower, "data_variance": DataVariance}
