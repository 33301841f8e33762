"""The denoiser's error at every time: all that the optimal variances need to know about a network and its data."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from gradwright.core.files import write
from gradwright.diffusion.check import as_times
from gradwright.diffusion.isotonic import isotonic
from gradwright.diffusion.schedule import NoiseSchedule, Time
from gradwright.diffusion.variance import largest_error, optimal_variance

FORMAT = 1


@dataclass(frozen=True, eq=False)
class DenoisingError:
    """mse_t = E‖x₀ − x̂₀(x_t)‖² / d in the units of the data, at some or all times of a schedule.

    Args:
        schedule: the schedule that it was measured with.
        times: increasing, shape (T,), int64.
        estimate: the estimates as they came, shape (T,), (T, C, 1, ...) for one value a channel, or (T, C, ...) for
            one a pixel; float64. The "noise_power" and "data_variance" estimators can go below zero here.
        standard_error: the sampling error of ``estimate``, shaped like it, or None where it is not known.
        count: samples at each time, shape (T,), int64; zeros where not known.
        source: the name of the estimator.

    Raises:
        ValueError: shapes that do not fit, times that do not increase, estimates that are not finite.
    """

    schedule: NoiseSchedule
    times: Tensor
    estimate: Tensor
    standard_error: Tensor | None = None
    count: Tensor | None = None
    source: str = "given"

    def __post_init__(self) -> None:
        times = as_times(self.times, self.schedule.steps, "times", first=1)
        estimate = torch.as_tensor(self.estimate, dtype=torch.float64).detach().cpu()
        if times.dim() != 1 or len(times) < 1 or (times[1:] <= times[:-1]).any():
            raise ValueError(f"times must be a row of increasing times, got {times.tolist()}")
        if estimate.dim() < 1 or len(estimate) != len(times):
            raise ValueError(
                f"estimate must have one row for each of the {len(times)} times, got shape {tuple(estimate.shape)}"
            )
        if not torch.isfinite(estimate).all():
            bad = (
                times[~torch.isfinite(estimate).flatten(1).all(1)]
                if estimate.dim() > 1
                else times[~estimate.isfinite()]
            )
            raise ValueError(f"estimate is NaN or infinite at times {bad.tolist()}; measure again or leave them out")
        count = torch.zeros_like(times) if self.count is None else torch.as_tensor(self.count).to("cpu", torch.int64)
        if count.shape != times.shape:
            raise ValueError(f"count must have shape {tuple(times.shape)}, got {tuple(count.shape)}")
        if self.standard_error is not None:
            spread = torch.as_tensor(self.standard_error, dtype=torch.float64).detach().cpu()
            if spread.shape != estimate.shape:
                raise ValueError(f"standard_error must have shape {tuple(estimate.shape)}, got {tuple(spread.shape)}")
            object.__setattr__(self, "standard_error", spread)
        for name, value in (("times", times), ("estimate", estimate), ("count", count)):
            object.__setattr__(self, name, value)

    @property
    def mse(self) -> Tensor:
        """The estimates with negative ones at 0; shape (T, ...), float64."""
        return self.estimate.clamp(min=0)

    @property
    def noise_power(self) -> Tensor:
        """Γ_t = 1 − (ᾱ_t / β̄_t) mse_t at ``times``, the quantity of Analytic-DPM; shaped like ``estimate``."""
        ratio = self.schedule.alpha_bar(self.times) / self.schedule.beta_bar(self.times)
        return 1 - ratio.reshape(self._wide) * self.estimate

    @property
    def _wide(self) -> tuple[int, ...]:
        return (-1, *[1] * (self.estimate.dim() - 1))

    def at(self, t: Time) -> Tensor:
        """mse at ``t``, between the measured times interpolated: ln mse is taken as linear in ln(ᾱ / β̄).

        That is exact for Gaussian data at both ends of the schedule. Up to a time at which no data is left, where
        ln(ᾱ / β̄) has no end, it is taken as linear in ln β̄, which is exact for data of variance 1. Next to a zero the
        error itself is interpolated.

        Args:
            t: one time (the result has the shape of one estimate) or a row of times (T', ...).

        Raises:
            ValueError: before the first or after the last measured time.
        """
        t = as_times(t, self.schedule.steps)
        if (t < self.times[0]).any() or (t > self.times[-1]).any():
            raise ValueError(
                f"t must lie between the first and the last measured time, {self.times[0].item()} ... "
                f"{self.times[-1].item()}, got {t.tolist()}; measure at times 1 and {self.schedule.steps} too"
            )
        right = torch.searchsorted(self.times, t)
        left = torch.where(self.times[right] == t, right, right - 1)
        empty = self.schedule.alpha_bar(self.times[right]) == 0
        here, start, end = (
            torch.where(empty, self.schedule.beta_bar(time).log(), self.schedule.log_snr(time))
            for time in (t, self.times[left], self.times[right])
        )
        share = torch.where(left == right, 0.0, (here - start) / torch.where(left == right, 1.0, end - start))
        share = share.reshape((*t.shape, *[1] * (self.estimate.dim() - 1)))
        a, b = self.mse[left], self.mse[right]
        between = torch.exp(torch.lerp(a.log(), b.log(), share))
        return torch.where(share == 0, a, torch.where((a > 0) & (b > 0), between, torch.lerp(a, b, share)))

    def variance(self, s: Time, t: Time, eta: float = 1.0) -> Tensor:
        """The optimal variance of the step from ``t`` to ``s``: :func:`optimal_variance` with this error at ``t``."""
        return optimal_variance(self.schedule, s, t, self.at(t), eta)

    def clipped(self, data_range: tuple[float, float] | None = None) -> DenoisingError:
        """With every estimate between 0 and what the exact denoiser could have: :func:`largest_error`.

        Args:
            data_range: bounds (a, b) of the data, (−1, 1) for most images; None for latents, which have none.
        """
        bound = largest_error(self.schedule, self.times, data_range).reshape(self._wide)
        return dataclasses.replace(self, estimate=torch.minimum(self.estimate.clamp(min=0), bound))

    def monotone(self) -> DenoisingError:
        """The nearest curve that never falls with time, in least squares weighted by the standard errors.

        More noise cannot make the best guess better, so a fall is sampling error. It fills the late times of the
        "noise_power" estimator, where an estimate at or below zero would make a step look free. An estimate that is far
        too high at the very end stays so: add ``.clipped(data_range)``, or measure with source="residual".
        """
        rows = self.estimate.flatten(1) if self.estimate.dim() > 1 else self.estimate[:, None]
        weights = torch.ones_like(rows)
        if self.standard_error is not None and (self.standard_error > 0).all():
            weights = self.standard_error.reshape(rows.shape) ** -2
        columns = [isotonic(value, weight) for value, weight in zip(rows.T, weights.T)]
        return dataclasses.replace(self, estimate=torch.stack(columns, 1).reshape(self.estimate.shape))

    @classmethod
    def from_noise_power(cls, schedule: NoiseSchedule, power: Any, times: Any = None) -> DenoisingError:
        """From Γ_t = E‖ε̂‖² / d, as the authors of Analytic-DPM publish it for their models ("ms_eps").

        Args:
            schedule: the schedule of the network.
            power: shape (T, ...); without ``times`` either N values for the times 1 ... N, or N + 1 with an unused
                entry in front, which is the authors' layout.
            times: increasing, shape (T,), or None.
        """
        power = torch.as_tensor(power, dtype=torch.float64).detach().cpu()
        if times is None:
            if power.dim() < 1 or len(power) not in (schedule.steps, schedule.steps + 1):
                raise ValueError(
                    f"power must have {schedule.steps} rows, or {schedule.steps + 1} with an unused first one, got "
                    f"shape {tuple(power.shape)}; pass times= to give fewer"
                )
            power = power[-schedule.steps :]
            times = torch.arange(1, schedule.steps + 1)
        times = as_times(times, schedule.steps, "times", first=1)
        if power.dim() < 1 or len(power) != len(times):
            raise ValueError(f"power must have one row for each of {len(times)} times, got shape {tuple(power.shape)}")
        ratio = schedule.beta_bar(times) / schedule.alpha_bar(times)
        return cls(schedule, times, ratio.reshape(-1, *[1] * (power.dim() - 1)) * (1 - power), source="noise_power")

    def save(self, path: str | PathLike) -> None:
        """Write plain tensors with ``torch.save``; :meth:`load` reads them without running any code of the file.

        The file is written whole or not at all.
        """
        buffer = io.BytesIO()
        torch.save(
            {
                "format": FORMAT,
                "betas": self.schedule.betas,
                "times": self.times,
                "estimate": self.estimate,
                "standard_error": self.standard_error,
                "count": self.count,
                "source": self.source,
            },
            buffer,
        )
        write(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | PathLike) -> DenoisingError:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: another kind of file, or one of a later version.
        """
        found = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(found, dict) or "betas" not in found or "estimate" not in found:
            raise ValueError(f"{path} does not hold a DenoisingError; write one with DenoisingError.save")
        version = found.pop("format", None)
        if version != FORMAT:
            raise ValueError(f"{path} has format {version}, this version reads {FORMAT}; update gradwright")
        return cls(NoiseSchedule(found.pop("betas")), **found)
