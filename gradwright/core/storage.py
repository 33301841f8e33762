"""Storage: how an array is held in memory, apart from what it means.

A transform computes with values; a storage says which arrays hold them. Its ``encode`` and ``decode`` in plain torch
are the definition that every engine's loads and stores are held to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Buffer(NamedTuple):
    """One array of a storage: what is appended to the name of the value, its shape and its type."""

    suffix: str
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Storage:
    """How values of one kind are held.

    A new format is a frozen dataclass with the three methods below, and a row in each engine's table of loads and
    stores; an engine without one leaves the tensors to plain torch.
    """

    def buffers(self, shape: tuple[int, ...]) -> tuple[Buffer, ...]:
        """The arrays that hold values of ``shape``; the first has the suffix ``""``."""
        raise NotImplementedError

    def encode(self, values: Tensor) -> tuple[Tensor, ...]:
        """The arrays for these values, in the order of :meth:`buffers`."""
        raise NotImplementedError

    def decode(self, *arrays: Tensor) -> Tensor:
        """The values that these arrays hold."""
        raise NotImplementedError


@dataclass(frozen=True)
class Plain(Storage):
    """One array of a floating type; values are rounded to nearest even when they are stored.

    Args:
        dtype: the type of the array.
    """

    dtype: torch.dtype

    def buffers(self, shape: tuple[int, ...]) -> tuple[Buffer, ...]:
        return (Buffer("", shape, self.dtype),)

    def encode(self, values: Tensor) -> tuple[Tensor, ...]:
        return (values.to(self.dtype),)

    def decode(self, *arrays: Tensor) -> Tensor:
        return arrays[0]
