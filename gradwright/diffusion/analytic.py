"""What the schedulers of diffusers with an optimal variance share; diffusers itself is not imported here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.diffusion.adapter import OwnedName, noise_schedule, prediction_of
from gradwright.diffusion.check import check_cap
from gradwright.diffusion.error import DenoisingError
from gradwright.diffusion.prediction import check_prediction

OWN = ("denoising_mse", "cap", "cap_steps")


def keeps_error(name: str) -> bool:
    """Whether a class of this name is one of the schedulers here, or was derived from one."""
    return any(kind.__name__ == name for kind in _below(Analytic))


def _below(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


class Analytic:
    """What both schedulers share: the error as part of the config, the variance of a step, and its cap."""

    def _set_error(self, denoising_mse: Any, cap: float | None, cap_steps: int) -> None:
        name = type(self).__name__
        if denoising_mse is None:
            raise ValueError(
                f"{name} needs denoising_mse, one value for each of {len(self.betas)} timesteps; "
                f"{name}.from_error(scheduler, error) takes it from estimate_denoising_error"
            )
        check_cap(cap, cap_steps, len(self.betas))
        values = torch.as_tensor(denoising_mse, dtype=torch.float64)
        if not values.dim() or len(values) != len(self.betas):
            raise ValueError(
                f"denoising_mse must have one row for each of {len(self.betas)} timesteps, got {tuple(values.shape)}"
            )
        self._schedule = noise_schedule(self)
        check_prediction(prediction_of(self), self._schedule)
        self._error = DenoisingError(self._schedule, torch.arange(1, len(self.betas) + 1), values)

    @property
    def config(self) -> Any:
        """The config, whose ``_class_name`` refuses a scheduler that would drop the error: :class:`OwnedName`."""
        return type(self._internal_dict)(
            {**self._internal_dict, "_class_name": OwnedName(type(self).__name__, keeps_error)}
        )

    @property
    def plain_config(self) -> dict[str, Any]:
        """The config without the error, for a scheduler of diffusers: ``DDIMScheduler.from_config(plain_config)``."""
        return {name: value for name, value in self._internal_dict.items() if name not in (*OWN, "_class_name")}

    @classmethod
    def from_error(cls, scheduler: Any, error: DenoisingError, **kwargs: Any) -> Any:
        """This scheduler with the config of another one and a measured error.

        Args:
            scheduler: any diffusers scheduler with the betas that the error was measured with.
            error: from :func:`estimate_denoising_error`; at times 1 and N at least.
            kwargs: further arguments of the scheduler, such as ``cap``, ``cap_steps`` and ``clip_sample``.

        Raises:
            ValueError: the betas differ.
        """
        betas = noise_schedule(scheduler).betas
        if betas.shape != error.schedule.betas.shape or not torch.allclose(
            betas, error.schedule.betas, rtol=1e-5, atol=0
        ):
            raise ValueError("error was measured with other betas than the scheduler's; use noise_schedule(scheduler)")
        mse = error.at(torch.arange(1, len(betas) + 1)).tolist()
        return cls.from_config(scheduler.config, denoising_mse=mse, **kwargs)

    def _check_steps(self, count: int | None, timesteps: Sequence[int] | None) -> None:
        count = len(timesteps) if timesteps is not None else count
        if self.config.cap is not None and count is not None:
            check_cap(self.config.cap, self.config.cap_steps, count)

    def _check_shape(self, model_output: Tensor, sample: Tensor) -> None:
        if model_output.shape != sample.shape:
            raise ValueError(
                f"model_output must have the sample's shape {tuple(sample.shape)}, got {tuple(model_output.shape)}; of "
                f"a model that also predicts a variance pass the first half of the channels"
            )

    def _variance(self, timestep: int, previous: int, eta: float, like: Tensor | None) -> Tensor:
        square = self._error.variance(previous + 1, timestep + 1, eta)
        config = self.config
        if config.cap is not None and previous <= sorted(self.timesteps.tolist())[: config.cap_steps][-1]:
            square = square.clamp(max=config.cap)
        return square if like is None else square.to(like)
