"""Storage: how an array is held in memory, apart from what it means.

A transform computes with values; a storage says which arrays hold them. Its ``encode`` and ``decode`` in plain torch
are the definition that every engine's loads and stores are held to. Formats of 8 bits are in
:mod:`gradwright.core.blockwise`, those of weights in :mod:`gradwright.core.half_weights`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gradwright.core.counter import Key


class Buffer(NamedTuple):
    """One array of a storage: what is appended to the name of the value, its shape and its type."""

    suffix: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Storage:
    """How values of one kind are held.

    A new format is a frozen dataclass with the three methods below, and a row in each engine's table of loads and
    stores; an engine without one leaves the tensors to plain torch.

    Class attributes:
        in_order: whether an entry's place in its tensor matters, because neighbours share a scale or because random
            bits are those of a place; then only contiguous tensors go through kernels.
        random: whether ``encode`` uses random bits.
        grouped: whether neighbours share a scale.
    """

    in_order: ClassVar[bool] = False
    grouped: ClassVar[bool] = False

    @property
    def random(self) -> bool:
        return False

    def buffers(self, shape: tuple[int, ...]) -> tuple[Buffer, ...]:
        """The arrays that hold values of ``shape``; the first has the suffix ``""`` and that shape."""
        raise NotImplementedError

    def encode(self, values: Tensor, key: Key = 0) -> tuple[Tensor, ...]:
        """The arrays for these values, in the order of :meth:`buffers`.

        Args:
            values: what to hold.
            key: of the random bits, where there are any, or one for each row; see :mod:`gradwright.core.counter`.
        """
        raise NotImplementedError

    def decode(self, *arrays: Tensor) -> Tensor:
        """The values that these arrays hold."""
        raise NotImplementedError

    def nbytes(self, shape: tuple[int, ...]) -> int:
        """The bytes of values of ``shape``."""
        return sum(buffer.nbytes for buffer in self.buffers(shape))

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What is appended to the name of the value for each array."""
        return tuple(buffer.suffix for buffer in self.buffers(()))

    def __str__(self) -> str:
        return type(self).__name__


@dataclass(frozen=True)
class Plain(Storage):
    """One array of a floating type; values are rounded to nearest even when they are stored.

    Args:
        dtype: the type of the array.
    """

    dtype: torch.dtype

    def buffers(self, shape: tuple[int, ...]) -> tuple[Buffer, ...]:
        return (Buffer("", shape, self.dtype),)

    def encode(self, values: Tensor, key: Key = 0) -> tuple[Tensor, ...]:
        return (values.to(self.dtype),)

    def decode(self, *arrays: Tensor) -> Tensor:
        return arrays[0]

    def __str__(self) -> str:
        return str(self.dtype).removeprefix("torch.")
