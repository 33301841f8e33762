"""Measure a denoiser's error batch after batch, with a state that can be saved, resumed and merged."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.diffusion.check import as_times, check_output
from gradwright.diffusion.error import DenoisingError
from gradwright.diffusion.prediction import Prediction, check_prediction
from gradwright.diffusion.schedule import NoiseSchedule
from gradwright.diffusion.sources import SOURCES, Observation, Per
from gradwright.diffusion.tally import Tally

Network = Callable[..., Tensor]


class DenoisingErrorEstimator:
    """Streaming estimate of mse_t: feed it batches, ask for the result, save it and go on another day.

    Every batch is noised afresh at each time. Means are kept in float64; the noise comes from a generator of the
    estimator's own, whose state is saved too, so a run that was interrupted ends at the same bits.

    Args:
        schedule: the schedule that the network was trained with.
        times: the times to measure at, increasing; None for all of 1 ... N. With a few dozen from 1 to N the rest is
            interpolated (:meth:`DenoisingError.at`), and one network call for each is saved.
        source: "residual" (the default), "noise_power" (Analytic-DPM as published) or "data_variance". The residual
            cannot be negative, is optimal for an imperfect network, and stays precise at late times; see docs.
        per: "scalar", one number a time; "channel"; or "pixel".
        prediction: what the network predicts, "epsilon", "x0" or "v".
        seed: of the noise.

    Raises:
        ValueError: a name that is not known, or times that do not fit the schedule.
    """

    def __init__(
        self,
        schedule: NoiseSchedule,
        *,
        times: Sequence[int] | Tensor | None = None,
        source: str = "residual",
        per: Per = "scalar",
        prediction: Prediction = "epsilon",
        seed: int = 0,
    ) -> None:
        check_prediction(prediction, schedule)
        if source not in SOURCES:
            raise ValueError(f"source must be one of {tuple(SOURCES)}, got {source!r}")
        if per not in ("scalar", "channel", "pixel"):
            raise ValueError(f"per must be 'scalar', 'channel' or 'pixel', got {per!r}")
        if times is None:
            times = torch.arange(1, schedule.steps + 1)
        self.times = as_times(torch.as_tensor(times), schedule.steps, "times", first=1)
        if self.times.dim() != 1 or not len(self.times) or (self.times[1:] <= self.times[:-1]).any():
            raise ValueError(f"times must increase strictly, got {self.times.tolist()}")
        self.schedule, self.prediction = schedule, prediction
        self.source, self._source = source, SOURCES[source](per)
        self._generator = torch.Generator().manual_seed(seed)
        self._tally: Tally | None = None
        self._data: Tally | None = None

    @property
    def count(self) -> int:
        """Samples seen so far."""
        return 0 if self._data is None else int(self._data.count)

    @torch.no_grad()
    def update(self, network: Network, data: Tensor, *condition: Any) -> None:
        """Count one batch at every time. Where it raises, nothing of the batch was counted.

        Args:
            network: ``network(x_t, t, *condition)`` with x_t (B, ...) and t (B,), int64 in 1 ... N, returns (B, ...).
                A network that counts from zero is passed as ``lambda x, t: net(x, t - 1)``. It should be in eval mode.
            data: x₀, shape (B, ...), on the network's device.
            condition: handed on to the network, one entry for each row.
        """
        self._check(data)
        rows = []
        for t in self.times.tolist():
            noise = torch.randn(data.shape, generator=self._generator, dtype=torch.float32).to(data)
            x = self.schedule.add_noise(data, noise, t)
            output = network(x, torch.full((len(data),), t, device=data.device), *condition)
            seen = Observation(data, noise, x, check_output(output, x, t), t)
            rows.append(Tally.of(self._source.observe(self.schedule, self.prediction, seen)))
        batch, whole = Tally.stack(rows), Tally.of(data)
        self._tally = batch if self._tally is None else self._tally.merge(batch)
        self._data = whole if self._data is None else self._data.merge(whole)

    def _check(self, data: Tensor) -> None:
        if not isinstance(data, Tensor) or not data.dtype.is_floating_point:
            kind = data.dtype if isinstance(data, Tensor) else type(data).__name__
            raise TypeError(f"data must be a tensor of floats scaled as in training, got {kind}")
        if data.dim() < 1 or not data.numel():
            raise ValueError(f"data must have shape (B, ...) with B ≥ 1, got {tuple(data.shape)}")
        if data.dim() < 2 and self._source.per != "scalar":
            raise ValueError(f"per={self._source.per!r} needs data of shape (B, C, ...), got {tuple(data.shape)}")
        if not torch.isfinite(data).all():
            raise ValueError("data holds NaN or infinity; nothing was counted")
        if self._data is not None and data.shape[1:] != self._data.mean.shape[1:]:
            raise ValueError(
                f"data must have rows of shape {tuple(self._data.mean.shape[1:])} as before, "
                f"got {tuple(data.shape[1:])}"
            )

    def merge(self, other: DenoisingErrorEstimator) -> None:
        """Count the samples of ``other`` too: another process' share of the data, with another ``seed``.

        Raises:
            ValueError: it measures something else.
        """
        mine, its = self._settings(), other._settings()
        for name in mine:
            same = torch.equal(mine[name], its[name]) if isinstance(mine[name], Tensor) else mine[name] == its[name]
            if not same:
                raise ValueError(f"other was made with another {name}; build both estimators with the same arguments")
        if self._tally is None or other._tally is None:
            self._tally, self._data = self._tally or other._tally, self._data or other._data
            return
        if self._data.mean.shape != other._data.mean.shape:
            raise ValueError(f"other saw rows of shape {tuple(other._data.mean.shape[1:])}, this one others")
        self._tally, self._data = self._tally.merge(other._tally), self._data.merge(other._data)

    def result(self) -> DenoisingError:
        """The estimate so far, with its standard error where the source has one.

        Raises:
            ValueError: fewer than two samples.

        Warns:
            UserWarning: the estimate is at or below zero somewhere, which only sampling error or an inexact network do.
        """
        if self._tally is None or self.count < 2:
            raise ValueError(f"an estimate needs two samples or more, got {self.count}; call update with data first")
        estimate, spread = self._source.finish(self.schedule, self.prediction, self.times, self._tally, self._data)
        low = (estimate <= 0).reshape(len(self.times), -1).any(1)
        if self.source != "residual" and low.any():
            late = self.times[low].tolist()
            warnings.warn(
                f"source={self.source!r} gives an error at or below zero at {len(late)} of {len(self.times)} times "
                f"({late[0]} ... {late[-1]}), read as 0: the network is not exact or the samples are few. Use "
                f"source='residual', or .monotone() on the result",
                stacklevel=2,
            )
        return DenoisingError(self.schedule, self.times, estimate, spread, self._tally.count, self.source)

    def _settings(self) -> dict[str, Any]:
        return {
            "betas": self.schedule.betas,
            "times": self.times,
            "source": self.source,
            "per": self._source.per,
            "prediction": self.prediction,
        }

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs, as plain tensors and strings; loads with ``weights_only=True``."""
        tallies = {
            f"{name}_{part}": getattr(tally, part)
            for name, tally in (("tally", self._tally), ("data", self._data))
            if tally is not None
            for part in ("count", "mean", "scatter")
        }
        return {**self._settings(), "generator": self._generator.get_state(), **tallies}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state of an estimator that was built with the same arguments (the seed apart)."""
        for name, value in self._settings().items():
            saved = state_dict.get(name)
            same = (
                isinstance(saved, Tensor) and torch.equal(value, saved) if isinstance(value, Tensor) else value == saved
            )
            if not same:
                raise ValueError(
                    f"state_dict was saved with another {name}; build the estimator with the same arguments"
                )
        self._generator.set_state(state_dict["generator"])
        pair = (
            Tally(*(state_dict[f"{name}_{part}"].clone() for part in ("count", "mean", "scatter")))
            if f"{name}_count" in state_dict
            else None
            for name in ("tally", "data")
        )
        self._tally, self._data = pair
