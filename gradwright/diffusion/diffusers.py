"""Optimal variances in diffusers, all of it here since an optional package is imported in one file alone.

Two schedulers to plug into a pipeline, a pipeline for the second of them, and a model with a second head.

    schedule = noise_schedule(pipe.scheduler)
    error = estimate_denoising_error(NoiseNetwork(pipe.unet), loader, schedule)
    pipe.scheduler = AnalyticDDPMScheduler.from_error(pipe.scheduler, error)

A saved pipeline loads with its scheduler after ``import gradwright.diffusion.diffusers``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

try:
    from diffusers import DDIMPipeline, DDIMScheduler, DDPMScheduler
    from diffusers import SchedulerMixin as SchedulerMixin  # loading a pipeline looks for it beside our schedulers
    from diffusers.configuration_utils import register_to_config
    from diffusers.models.unets.unet_2d import UNet2DOutput
    from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput
    from diffusers.utils.torch_utils import randn_tensor
except ImportError as missing:
    raise ImportError("gradwright.diffusion.diffusers needs diffusers: pip install diffusers") from missing

from gradwright.diffusion.adapter import NoiseNetwork, inference_timesteps, noise_schedule, prediction_of
from gradwright.diffusion.analytic import Analytic
from gradwright.diffusion.error import DenoisingError
from gradwright.diffusion.heads import SecondHead, split_heads
from gradwright.diffusion.prediction import check_prediction, to_data, to_noise
from gradwright.diffusion.reverse import reverse_mean
from gradwright.diffusion.variance import optimal_variance

__all__ = [
    "AnalyticDDIMPipeline",
    "AnalyticDDIMScheduler",
    "AnalyticDDPMScheduler",
    "LearnedVarianceModel",
    "NoiseNetwork",
    "inference_timesteps",
    "noise_schedule",
    "prediction_of",
]


def _with_arguments_of(base: type) -> Callable[[Any], Any]:
    """Give an ``__init__(self, *args, ours, **kwargs)`` the signature of the base's plus its own keywords.

    diffusers stores and restores exactly the arguments that the signature names.
    """

    def decorate(init: Any) -> Any:
        own = [p for p in inspect.signature(init).parameters.values() if p.kind is p.KEYWORD_ONLY]
        init.__signature__ = inspect.Signature([*inspect.signature(base.__init__).parameters.values(), *own])
        return register_to_config(init)

    return decorate


class AnalyticDDPMScheduler(Analytic, DDPMScheduler):
    """DDPMScheduler whose steps have the optimal variance.

    Args:
        denoising_mse: mse_t of the timesteps 0 ... T − 1 in the units of the data, a list (T,), or nested for one value
            a channel or pixel; part of the config, so ``save_pretrained`` keeps it. :meth:`from_error` fills it in.
        cap: the largest variance of the steps next to the data, :func:`noise_cap`; None for latents.
        cap_steps: how many steps that concerns.

    All other arguments are DDPMScheduler's. The step to the data adds no noise, with every spacing of timesteps.

    Raises:
        ValueError: no error was given, or a ``variance_type`` that would be ignored.

    Reference: arXiv:2201.06503.
    """

    @classmethod
    def from_error(cls, scheduler: Any, error: DenoisingError, **kwargs: Any) -> Any:
        """As for both schedulers; the optimal variance takes the place of any fixed one in the scheduler's config."""
        if str(getattr(scheduler.config, "variance_type", "")).startswith("fixed"):
            kwargs.setdefault("variance_type", "fixed_small")
        return super().from_error(scheduler, error, **kwargs)

    @_with_arguments_of(DDPMScheduler)
    def __init__(
        self, *args: Any, denoising_mse: Any = None, cap: float | None = None, cap_steps: int = 1, **kwargs: Any
    ):
        super().__init__(*args, **kwargs)
        if self.config.variance_type != "fixed_small":
            raise ValueError(
                f"variance_type={self.config.variance_type!r} would be ignored: the variance is the optimal one; "
                f"pass variance_type='fixed_small', as from_error does in the place of every fixed one. For a second "
                f"head use DDPMScheduler with 'learned' and LearnedVarianceModel"
            )
        self._set_error(denoising_mse, cap, cap_steps)
        self._like: Tensor | None = None

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        timesteps: Sequence[int] | None = None,
    ) -> None:
        """DDPMScheduler's, after a look whether there are as many steps as the cap concerns."""
        self._check_steps(num_inference_steps, timesteps)
        super().set_timesteps(num_inference_steps, device, timesteps)

    def step(
        self, model_output: Tensor, timestep: Any, sample: Tensor, generator: Any = None, return_dict: bool = True
    ) -> Any:
        """DDPMScheduler's step with the optimal variance."""
        self._check_shape(model_output, sample)
        self._like = sample.new_empty(0)  # a variance for each pixel must be on its device and of its dtype
        return super().step(model_output, timestep, sample, generator=generator, return_dict=return_dict)

    def _get_variance(self, t: Any, predicted_variance: Any = None, variance_type: Any = None) -> Tensor:
        previous = int(self.previous_timestep(t))
        if previous < 0:
            return torch.zeros(()) if self._like is None else self._like.new_zeros(())
        return self._variance(int(t), previous, 1.0, self._like)


class AnalyticDDIMScheduler(Analytic, DDIMScheduler):
    """DDIMScheduler that adds noise of the optimal variance, at every ``eta``.

    With ``eta=0`` the mean is DDIM's, and the noise is what its deterministic step leaves out. Unlike its base, it
    takes ``set_timesteps(timesteps=[...])`` and steps to the next timestep of the list, whatever the spacing.

    Args:
        denoising_mse, cap, cap_steps: as for :class:`AnalyticDDPMScheduler`. All others are DDIMScheduler's.

    Reference: arXiv:2201.06503.
    """

    @_with_arguments_of(DDIMScheduler)
    def __init__(
        self, *args: Any, denoising_mse: Any = None, cap: float | None = None, cap_steps: int = 1, **kwargs: Any
    ):
        super().__init__(*args, **kwargs)
        self._set_error(denoising_mse, cap, cap_steps)

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        timesteps: Sequence[int] | None = None,
    ) -> None:
        """A number of steps with the spacing of the config, or the timesteps themselves, latest first."""
        if (num_inference_steps is None) == (timesteps is None):
            raise ValueError("pass either num_inference_steps or timesteps")
        self._check_steps(num_inference_steps, timesteps)
        if timesteps is None:
            super().set_timesteps(num_inference_steps, device)
            return
        row, last = torch.as_tensor(list(timesteps)), len(self.betas) - 1
        whole = len(row) and not row.dtype.is_floating_point
        if not whole or (row[1:] >= row[:-1]).any() or row.min() < 0 or row.max() > last:
            raise ValueError(f"timesteps must descend within {last} ... 0, whole numbers, got {row.tolist()}")
        self.timesteps, self.num_inference_steps = row.to(device), len(row)

    def previous_timestep(self, timestep: int) -> int:
        """The next timestep of the list, −1 after the last."""
        row = self.timesteps.tolist()
        if int(timestep) not in row:
            raise ValueError(f"timestep must be one of scheduler.timesteps, got {int(timestep)}; see set_timesteps")
        return (*row, -1)[row.index(int(timestep)) + 1]

    def step(
        self,
        model_output: Tensor,
        timestep: Any,
        sample: Tensor,
        eta: float = 0.0,
        use_clipped_model_output: bool = False,
        generator: Any = None,
        variance_noise: Tensor | None = None,
        return_dict: bool = True,
    ) -> Any:
        """√ᾱ_s x̂₀ + √(β̄_s − λ²) ε̂ + σ* z; arguments and result are DDIMScheduler's."""
        if self.num_inference_steps is None:
            raise ValueError("scheduler has no timesteps yet; call set_timesteps first")
        if generator is not None and variance_noise is not None:
            raise ValueError("pass either generator or variance_noise, not both")
        self._check_shape(model_output, sample)
        timestep, schedule = int(timestep), self._schedule
        previous, t = self.previous_timestep(timestep), timestep + 1
        data = to_data(schedule, prediction_of(self), model_output, sample, t)
        noise = to_noise(schedule, prediction_of(self), model_output, sample, t)
        if self.config.thresholding:
            data = self._threshold_sample(data)
        elif self.config.clip_sample:
            data = data.clamp(-self.config.clip_sample_range, self.config.clip_sample_range)
        if use_clipped_model_output:
            signal, spread = schedule.scales(t, sample)
            noise = (sample - signal * data) / spread
        if previous < 0:
            final = self.final_alpha_cumprod.to(data)
            moved = final.sqrt() * data + (1 - final).sqrt() * noise
        else:
            if variance_noise is None:
                variance_noise = randn_tensor(
                    sample.shape, generator=generator, device=sample.device, dtype=model_output.dtype
                )
            deviation = self._variance(timestep, previous, eta, sample).sqrt()
            moved = reverse_mean(schedule, previous + 1, t, data, noise, eta) + deviation * variance_noise
        return DDIMSchedulerOutput(prev_sample=moved, pred_original_sample=data) if return_dict else (moved, data)


class AnalyticDDIMPipeline(DDIMPipeline):
    """DDIMPipeline that samples with the scheduler it is given; its base makes a plain DDIMScheduler of every one.

    ``AnalyticDDIMPipeline.from_pretrained(folder)`` loads what either of the two saved.

    Args:
        unet: the model, as for DDIMPipeline.
        scheduler: an :class:`AnalyticDDIMScheduler`.

    Raises:
        ValueError: another scheduler.
    """

    def __init__(self, unet: Any, scheduler: Any) -> None:
        if not isinstance(scheduler, AnalyticDDIMScheduler):
            raise ValueError(
                f"scheduler must be an AnalyticDDIMScheduler, got {type(scheduler).__name__}; make one with "
                f"AnalyticDDIMScheduler.from_error(scheduler, error), or use DDIMPipeline"
            )
        super().__init__(unet, DDIMScheduler.from_config(scheduler.plain_config))
        self.register_modules(scheduler=scheduler)


class LearnedVarianceModel(nn.Module):
    """A network with a second head as a diffusers model: its 2C channels are the prediction and the step's variance.

    It goes with ``DDPMScheduler(variance_type="learned")``, which reads the second half as the variance itself. The
    variance depends on where the step ends, so the model asks the scheduler, and must have the one that samples.

    Args:
        network: ``network(x, t)`` with t in 1 ... N returns 2C channels, such as
            ``TwoHeads(NoiseNetwork(unet), zero_head(...), features="model.conv_act")``.
        scheduler: the DDPMScheduler of the pipeline.
        head: SN() or NPR().

    Raises:
        ValueError: the scheduler would not read the variance, or its last time holds no data and the network predicts
            the noise.
    """

    def __init__(self, network: nn.Module, scheduler: DDPMScheduler, head: SecondHead) -> None:
        super().__init__()
        kind = getattr(scheduler.config, "variance_type", None)
        of = "scheduler.plain_config" if isinstance(scheduler, Analytic) else "scheduler.config"
        if kind != "learned" or not hasattr(scheduler, "previous_timestep"):
            raise ValueError(
                f"scheduler must be a DDPMScheduler with variance_type='learned', got {type(scheduler).__name__} with "
                f"{kind!r}; make one with DDPMScheduler.from_config({of}, variance_type='learned')"
            )
        self.network, self.scheduler, self.head = network, scheduler, head
        self._schedule = noise_schedule(scheduler)
        check_prediction(prediction_of(scheduler), self._schedule)
        self.eval()

    @property
    def config(self) -> Any:
        """The config of the diffusers model inside, which a pipeline asks for the size of its samples."""
        return next(part.config for part in self.network.modules() if hasattr(part, "config"))

    @property
    def dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def forward(self, sample: Tensor, timestep: Any, *args: Any, return_dict: bool = True, **kwargs: Any) -> Any:
        timestep = int(torch.as_tensor(timestep).flatten()[0])
        if timestep not in self.scheduler.timesteps.tolist():
            raise ValueError(
                f"timestep must be one of scheduler.timesteps, got {timestep}; give this model the scheduler that the "
                f"pipeline samples with, model.scheduler = pipe.scheduler"
            )
        t = torch.full((len(sample),), timestep + 1, device=sample.device)
        output, second = split_heads(self.network(sample, t, *args, **kwargs), sample, t)
        previous = int(self.scheduler.previous_timestep(timestep))
        variance = torch.zeros_like(output)
        if previous >= 0:
            noise = to_noise(self._schedule, prediction_of(self.scheduler), output, sample, timestep + 1)
            error = self.head.mse(self._schedule, noise, second, timestep + 1)
            variance = optimal_variance(self._schedule, previous + 1, timestep + 1, error).to(output)
        both = torch.cat([output, variance], 1)
        return UNet2DOutput(sample=both) if return_dict else (both,)
