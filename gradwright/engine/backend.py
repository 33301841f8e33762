"""Backend: what runs programs. There are three: C++, Triton and plain torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.program import Program

Shape = tuple[int, ...]


class Column(Protocol):
    """The arrays of one operand for the tensors of a bound kernel, by address or as tensors."""

    @property
    def pointers(self) -> np.ndarray: ...

    @property
    def tensors(self) -> Sequence[Tensor]: ...


class Reduced(NamedTuple):
    """What a reduction of a sweep came to on this rank.

    Attributes:
        op: ``sum`` or ``amax``.
        kind: ``TENSOR``, ``ROW`` or ``COLUMN``.
        values: of all tensors, one after another.
    """

    op: str
    kind: int
    values: Tensor


class Bound(Protocol):
    """A kernel with the tensors that it runs over; what stays the same from step to step is made once."""

    def aim(self, array: str, column: Column) -> None:
        """Let an array of an operand be these, one for each tensor, from now on."""

    def fill(self, rows: Sequence[Sequence[float]]) -> None:
        """Set the scalars: one row for all tensors, or one for each."""

    def draw(self, keys: np.ndarray) -> None:
        """Set the keys of the random bits of this step, one for each tensor; asked where the program is random."""

    def know(self, given: Mapping[str, Tensor]) -> dict[str, Any]:
        """Take what all parameters share and the host does not know, and answer the new values of shared slots."""

    def run(self, first: int, last: int) -> None:
        """Run some sweeps, one after another."""

    def allow(self, good: Tensor) -> None:
        """Let nothing be written if this truth value on the device is false; asked of what serves such steps."""

    def reduced(self, sweep: int) -> list[Reduced]:
        """What the reductions of a sweep that has just run came to here."""

    def settle(self, sweep: int, values: Sequence[Tensor]) -> None:
        """Let the reductions of a sweep be these, in the order of :meth:`reduced`, before the next sweep runs."""

    def part(self, key: str) -> Tensor:
        """The sum over these tensors of their parts of a total, one number in double."""


class Kernel(Protocol):
    """A compiled program.

    Attributes:
        row: the host nodes whose values a row of scalars holds.
    """

    row: tuple[int, ...]

    def bind(self, params: Sequence[Tensor], whole: Sequence[Shape] | None = None) -> Bound:
        """The kernel over these tensors.

        Args:
            params: what this rank holds of each.
            whole: the shapes of all of each, where that is more.
        """


class Backend(Protocol):
    """A way to run programs.

    Attributes:
        name: how it is asked for, in ``engine=...``.
        in_flight: how many numbers may wait between two sweeps at a time, unless one tensor alone is larger.
        on_trial: whether each program is compared with plain torch before a device is trusted with it.
        skipping: what runs steps of which the device knows whether they are taken; ``None`` where plain torch has to.
        on_device: whether totals, the loss and shared slots stay on the device, so that the host never waits for them.
    """

    name: str
    in_flight: int
    on_trial: bool
    on_device: bool

    @property
    def skipping(self) -> Backend | None: ...

    def check(self, device: torch.device) -> None:
        """Make sure that it can serve tensors on a device.

        Raises:
            NoCompiler: it cannot; says why and what to do.
        """

    def serves(self, param: Tensor) -> bool:
        """Whether it can read tensors that lie in memory as this one does."""

    def compile(self, program: Program) -> Kernel:
        """Make a kernel.

        Raises:
            Untraceable: the program has something that this backend has no word for.
            NoCompiler: there is nothing to compile with.
        """
