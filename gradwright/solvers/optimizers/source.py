"""A training closure over parameters on one or several devices, as a source of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.solvers.problem.layout import Layout
from gradwright.solvers.problem.sources import ModuleSource


def layout_of_parameters(parameters: Sequence[nn.Parameter], names: Mapping[Tensor, str]) -> Layout:
    """Where each parameter lies in the flat vector, which lives on the device of the first.

    Args:
        parameters: that are trained.
        names: what to call them.

    Raises:
        ValueError: there is none, dtypes differ, two share memory, or one is complex, distributed, not initialised, or
            made in inference mode.
    """
    if not parameters:
        raise ValueError("params holds no parameter that requires a gradient; give at least one, or unfreeze one")
    for parameter in parameters:
        _refuse_untrainable(parameter, names[parameter])
    _refuse_shared_memory(parameters, names)
    dtypes = sorted({str(p.dtype) for p in parameters})
    if len(dtypes) > 1:
        first = parameters[0]
        other = next(p for p in parameters if p.dtype != first.dtype)
        raise ValueError(
            f"params have the dtypes {', '.join(dtypes)} ({names[first]} is {first.dtype}, {names[other]} is "
            f"{other.dtype}); curvature needs one, so cast the module to it"
        )
    first = parameters[0]
    called = tuple(names[parameter] for parameter in parameters)
    return Layout(called, tuple(p.shape for p in parameters), "parameters", first.dtype, first.device)


def _refuse_untrainable(parameter: nn.Parameter, name: str) -> None:
    if nn.parameter.is_lazy(parameter):
        raise ValueError(f"{name} has no shape yet: run the model on one batch before you make the optimizer")
    if parameter.is_inference():
        raise ValueError(
            f"{name} was made under torch.inference_mode(), where nothing can be trained; make the model outside of it"
        )
    if hasattr(parameter, "device_mesh"):
        raise ValueError(f"{name} is spread over processes (DTensor); give tensors of one process")
    if not parameter.is_floating_point():
        raise ValueError(f"{name} is {parameter.dtype}; give real floating-point parameters (view_as_real)")


def _refuse_shared_memory(parameters: Sequence[nn.Parameter], names: Mapping[Tensor, str]) -> None:
    places: dict[tuple[torch.device, int], nn.Parameter] = {}
    for parameter in parameters:
        other = places.setdefault((parameter.device, parameter.data_ptr()), parameter)
        if other is not parameter and parameter.data_ptr():
            raise ValueError(
                f"{names[other]} and {names[parameter]} lie in the same memory, so one would overwrite the other; tie "
                f"weights by using one nn.Parameter in both places"
            )


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
