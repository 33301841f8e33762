"""What an optimizer hands to its engine: a step of each group, or of each tensor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Set
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from gradwright.core import Chain, ParamSpec, Total
from gradwright.core.counter import key_of, salt_of

StepCoroutine = Generator[Total, Any, dict[str, Any]]
"""What an engine runs: it yields totals, receives their sums, writes at its end, and returns new shared values."""


class Memory(Protocol):
    """Where the tensors of a group lie at this step, looked at before it.

    Attributes:
        params: the parameters that have state.
        states: their state.
        version: another number whenever a parameter or its state lies elsewhere than before.
        unfit: the parameters whose gradients cannot be read where they lie, but must be copied first.
        shared: the parameters that share memory with others, or with state: only one after another gives them a
            meaning.
        odd: the parameters that have no memory of their own, such as shards of distributed tensors.
        alone: the parameters that only plain torch can step with the gradients that there are, one after another.
        unchanged: a number that is the same for as long as nobody but the engine changes an entry of their state;
            ``None`` where nobody would tell.
    """

    params: list[Tensor]
    states: list[dict[str, Any]]
    version: int
    unfit: Set[int]
    shared: Set[int]
    odd: Set[int]
    alone: Set[int]

    @property
    def unchanged(self) -> int | None: ...

    def let_go(self) -> None: ...

    def gradient(self, at: int) -> Tensor: ...

    def local_gradient(self, at: int) -> Tensor: ...

    def gradient_pointers(self, members: np.ndarray | None) -> np.ndarray: ...

    def pointers(self, name: str, members: np.ndarray | None) -> np.ndarray: ...


note = dict.__setitem__
"""How the engine writes step counts and host scalars: past what tells the optimizer of changes from outside."""


class TensorStep(NamedTuple):
    """One tensor to step. Everything is checked before it is made, so an engine need not doubt it."""

    param: Tensor
    grad: Tensor
    state: dict[str, Any]
    chain: Chain
    spec: ParamSpec
    step: float
    clock: float
    loss: Tensor | None
    maximize: bool
    good: Tensor | None = None
    draw: int = 0

    def key(self, array: str) -> int:
        """The key of the random bits by which an array is rounded at this step."""
        return key_of(self.spec.index, self.step, self.draw) ^ salt_of(array)


class GroupStep(NamedTuple):
    """One group's part of a step: its parameters, and all that is the same for them.

    Attributes:
        present: which of the parameters have a gradient; ``None`` where all have.
        good: one truth value on a device: whether anything may be written; ``None`` where it may.
        draw: tells apart the times that state is written at one step, each of which is rounded by bits of its own.
    """

    params: Sequence[Tensor]
    states: Sequence[dict[str, Any]]
    present: np.ndarray | None
    chain: Chain
    spec_of: Callable[[Tensor], ParamSpec]
    clock: float
    loss: Tensor | None
    maximize: bool
    memory: Memory
    good: Tensor | None = None
    draw: int = 0

    @property
    def members(self) -> Iterable[int]:
        """The parameters that have a gradient."""
        return range(len(self.params)) if self.present is None else self.present.tolist()

    def of(self, at: int) -> TensorStep:
        """The step of one of its parameters."""
        param, state = self.params[at], self.states[at]
        loss = None if self.loss is None else _beside(self.loss, param)
        return TensorStep(
            param,
            self.memory.gradient(at),
            state,
            self.chain,
            self.spec_of(param),
            state["step"] + 1.0,
            self.clock,
            loss,
            self.maximize,
            None if self.good is None else self.good.to(param.device, non_blocking=True),
            self.draw,
        )

    def each(self) -> Iterator[TensorStep]:
        """The steps of all its parameters, empty ones left out."""
        return (self.of(at) for at in self.members if self.params[at].numel())


def store_shared(held: Tensor, value: Any, good: Tensor | None) -> None:
    """Write what all parameters share, unless ``good`` says that the step is not taken."""
    if not isinstance(value, Tensor):
        value = torch.full_like(held, value)
    held.copy_(value if good is None else torch.where(good.to(held.device), value.to(held), held))


def _beside(loss: Tensor, param: Tensor) -> Tensor:
    dtype = torch.float32 if param.device.type == "mps" else loss.dtype  # that device has no float64
    return loss.to(param.device, dtype, non_blocking=True)
