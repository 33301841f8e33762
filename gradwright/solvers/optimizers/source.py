"""A training closure over parameters on one or several devices, as a source of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.solvers.problem.layout import Layout
from gradwright.solvers.problem.sources import ModuleSource


def layout_of_parameters(parameters: Sequence[nn.Parameter]) -> Layout:
    """Where each parameter lies in the flat vector, which lives on the device of the first.

    Raises:
        ValueError: there is none, dtypes differ, or one is complex.
    """
    if not parameters:
        raise ValueError("params holds no parameter that requires a gradient; give at least one")
    dtypes = sorted({str(p.dtype) for p in parameters})
    if len(dtypes) > 1:
        raise ValueError(f"params have the dtypes {', '.join(dtypes)}; curvature needs one, so cast the module to it")
    first = parameters[0]
    if not first.is_floating_point():
        raise ValueError(f"params are {first.dtype}; give real floating-point parameters (view_as_real)")
    names = tuple(f"parameter {index}" for index in range(len(parameters)))
    return Layout(names, tuple(p.shape for p in parameters), "parameters", first.dtype, first.device)


class Randomness:
    """The state of the generators at the start of a step: every evaluation of the step draws the same numbers.

    Dropout masks and noise are then part of one function, which values, gradients and products agree on.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.devices = sorted({p.device.index or 0 for p in parameters if p.device.type == "cuda"})
        self._start = self._read()
        self._after: tuple[Tensor, list[Tensor]] | None = None

    def _read(self) -> tuple[Tensor, list[Tensor]]:
        return torch.get_rng_state(), [torch.cuda.get_rng_state(device) for device in self.devices]

    def _write(self, state: tuple[Tensor, list[Tensor]]) -> None:
        torch.set_rng_state(state[0])
        for device, value in zip(self.devices, state[1]):
            torch.cuda.set_rng_state(value, device)

    def run(self, closure: Callable[[], Any]) -> Any:
        self._write(self._start)
        answer = closure()
        self._after = self._after or self._read()
        return answer

    def leave(self) -> None:
        """Go on from where the first evaluation ended."""
        if self._after is not None:
            self._write(self._after)


@dataclass(frozen=True)
class TrainingSource(ModuleSource):
    """``closure`` over parameters on any devices; every evaluation sees the same random numbers."""

    randomness: Randomness | None = None

    def run(self, evaluate: Callable[[], Any]) -> Any:
        return evaluate() if self.randomness is None else self.randomness.run(evaluate)
