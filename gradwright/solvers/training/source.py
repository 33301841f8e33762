"""A training closure over parameters on one or several devices, as a source of tapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.solvers.closure import Recorder
from gradwright.solvers.layout import Layout
from gradwright.solvers.sources import ModuleSource
from gradwright.solvers.tape import Tape, scalar


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


@dataclass
class SpreadTape(Tape):
    """A tape whose leaves may lie on several devices; flat vectors are gathered on the first one's."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def grad(self, output: Tensor, weights: Tensor | None = None, create_graph: bool = False) -> Tensor:
        parts = torch.autograd.grad(
            output, self.leaves, weights, retain_graph=True, create_graph=create_graph, allow_unused=True
        )
        filled = [torch.zeros_like(leaf) if part is None else part for leaf, part in zip(self.leaves, parts)]
        return torch.cat([part.reshape(-1).to(self.device) for part in filled])


@dataclass(frozen=True)
class TrainingSource(ModuleSource):
    """``closure`` over parameters on any devices; every evaluation sees the same random numbers."""

    randomness: Randomness | None = None

    def record(self, x: Tensor) -> Tape:
        at = x.detach().clone()
        self.place(at)
        refresh = lambda: self.place(at)  # noqa: E731
        with torch.enable_grad():
            if self.capture:
                loss, extras = self._run(lambda: Recorder(self.parameters).run(self.closure))
                return SpreadTape(loss, tuple(self.parameters), extras, refresh, device=self.layout.device)
            for parameter in self.parameters:
                parameter.grad = None
            answer = self._run(self.closure)
        value, extras = answer if isinstance(answer, tuple) else (answer, None)
        flat = flat_gradient(self.parameters, self.layout)
        loss = scalar(value, "the closure").detach()
        return SpreadTape(loss, tuple(self.parameters), extras, given=lambda: flat, device=self.layout.device)

    def _run(self, closure: Callable[[], Any]) -> Any:
        return closure() if self.randomness is None else self.randomness.run(closure)


def flat_gradient(parameters: Sequence[nn.Parameter], layout: Layout) -> Tensor:
    """``.grad`` of all parameters as one vector; zeros where it is missing."""
    parts = [torch.zeros_like(p) if p.grad is None else p.grad.detach() for p in parameters]
    return torch.cat([part.reshape(-1).to(layout.device) for part in parts])
