"""What a scheduler or a model of diffusers says, in the words of this package; diffusers itself is not imported here.

Timesteps count from zero in diffusers: its timestep τ is the time τ + 1 of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from gradwright.diffusion.prediction import Prediction
from gradwright.diffusion.schedule import NoiseSchedule

PREDICTIONS: dict[str, Prediction] = {"epsilon": "epsilon", "sample": "x0", "v_prediction": "v"}


def noise_schedule(scheduler: Any) -> NoiseSchedule:
    """The schedule of a diffusers scheduler, from its betas.

    Raises:
        ValueError: a scheduler that has none.
    """
    betas = getattr(scheduler, "betas", None)
    if betas is None:
        raise ValueError(
            f"scheduler must have betas, which {type(scheduler).__name__} has not; give a DDPM or DDIM one"
        )
    return NoiseSchedule(betas)


def prediction_of(scheduler: Any) -> Prediction:
    """What the model of a diffusers scheduler predicts, in the words of this package."""
    name = scheduler.config.prediction_type
    if name not in PREDICTIONS:
        raise ValueError(f"prediction_type must be one of {tuple(PREDICTIONS)}, got {name!r}")
    return PREDICTIONS[name]


def inference_timesteps(trajectory: Sequence[int]) -> list[int]:
    """A trajectory as ``set_timesteps(timesteps=...)`` wants it: counted from zero, latest first.

    Example:
        >>> inference_timesteps([1, 112, 1000])
        [999, 111, 0]
    """
    return [t - 1 for t in sorted(trajectory, reverse=True)]


class NoiseNetwork(nn.Module):
    """A diffusers model as a network of this package: ``network(x, t)`` with t in 1 ... N returns a tensor."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, t: Tensor, *condition: Any, **kwargs: Any) -> Tensor:
        return self.model(x, t - 1, *condition, **kwargs).sample


class OwnedName(str):
    """The name of the class that a config belongs to, which another class cannot take it for its own.

    ``Other.from_config(config)`` compares ``config["_class_name"]`` with its own name by ``!=`` before it drops what it
    does not know. That comparison is the one place where the config learns who asks, and a measured error must not be
    dropped in silence: some pipelines make a plain scheduler of whatever they are given.

    Args:
        name: the name.
        takes: whether a class of this name keeps the error.
    """

    takes: Callable[[str], bool]

    def __new__(cls, name: str, takes: Callable[[str], bool]) -> OwnedName:
        made = super().__new__(cls, name)
        made.takes = takes
        return made

    def __getnewargs__(self) -> tuple[str, Callable[[str], bool]]:
        return str(self), self.takes

    def __ne__(self, other: object) -> bool:
        if isinstance(other, str) and not self.takes(other):
            raise ValueError(
                f"{other} would drop the measured error in the config of {self}. If a pipeline asked, as DDIMPipeline "
                f"does: AnalyticDDIMPipeline(unet, scheduler) keeps it and AnalyticDDIMPipeline.from_pretrained loads "
                f"it, or set pipe.scheduler after the pipeline is made. To return to a plain scheduler on purpose, "
                f"{other}.from_config(scheduler.plain_config)"
            )
        return str.__ne__(self, other)

    __hash__ = str.__hash__
