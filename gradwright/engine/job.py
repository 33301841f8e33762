"""What an optimizer hands to its engine: a share for each group, or a job for each tensor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradwright.core import Chain, ParamSpec, Total

Progress = Generator[Total, Any, dict[str, Any]]
"""What an engine runs: it yields totals, receives their sums, writes at its end, and returns new shared values."""


class Job(NamedTuple):
    """One tensor to step. Everything is checked before a job is made, so an engine need not doubt it."""

    param: Tensor
    grad: Tensor
    state: dict[str, Any]
    chain: Chain
    spec: ParamSpec
    step: float
    clock: float
    loss: Tensor | None
    maximize: bool


class Share(NamedTuple):
    """One group's part of a step: the parameters that have a gradient, and all that is the same for them."""

    params: Sequence[Tensor]
    grads: Sequence[Tensor]
    states: Sequence[dict[str, Any]]
    chain: Chain
    spec_of: Callable[[Tensor], ParamSpec]
    clock: float
    loss: Tensor | None
    maximize: bool
    param_places: list[int] | None = None
    """Where the parameters lie in memory: the same list for as long as they stay there."""
    grad_places: list[int] | None = None
    """Where the gradients lie, if all of them have memory of their own."""

    def job(self, at: int) -> Job:
        """The job of one of its parameters."""
        param, state = self.params[at], self.states[at]
        loss = None if self.loss is None else _beside(self.loss, param)
        return Job(
            param,
            self.grads[at],
            state,
            self.chain,
            self.spec_of(param),
            state["step"] + 1.0,
            self.clock,
            loss,
            self.maximize,
        )

    def jobs(self) -> Iterator[Job]:
        """The jobs of all its parameters, empty ones left out."""
        return (self.job(at) for at, param in enumerate(self.params) if param.numel())


def _beside(loss: Tensor, param: Tensor) -> Tensor:
    dtype = torch.float32 if param.device.type == "mps" else loss.dtype  # that device has no float64
    return loss.to(param.device, dtype, non_blocking=True)
