"""How tensors lie in memory: what a kernel can read as it is, and copies of the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from gradwright.core.blockwise import GROUP, first_of_row


def has_layout_of(value: Tensor, like: Tensor) -> bool:
    """Whether ``value`` can be read where ``like`` is expected: same type, same strides, nothing left to negate."""
    return value.stride() == like.stride() and value.dtype == like.dtype and not value.is_neg()


def with_layout_of(value: Tensor, like: Tensor) -> Tensor:
    """A copy of ``value`` in the type and memory layout of ``like``."""
    return torch.empty_like(like).copy_(value)


def is_dense(param: Tensor) -> bool:
    """Whether the tensor's entries fill one stretch of memory, each once.

    A tensor that stands for others, such as a shard of a distributed one, has no memory of its own.
    """
    if param.layout != torch.strided or param.data_ptr() == 0 or param.is_neg():
        return False
    expected = 1
    for stride, size in sorted((s, n) for s, n in zip(param.stride(), param.shape) if n > 1):
        if stride != expected:
            return False
        expected *= size
    return True


def table_of_sizes(sizes: Sequence[tuple[int, int]]) -> np.ndarray:
    """For each tensor its rows and columns, and where they begin among the rows and columns of all."""
    dims = np.zeros((len(sizes), 4), dtype=np.int64)
    dims[:, :2] = sizes
    dims[1:, 2:] = np.cumsum(dims[:-1, :2], axis=0)
    return dims


def lines(params: Sequence[Tensor]) -> np.ndarray:
    """For each tensor how many entries lie in a line of groups, after which a new group begins whatever its length.

    Where rows are whole groups, all of the tensor is one line.
    """
    found = np.empty(len(params), np.int64)
    for at, param in enumerate(params):
        row = math.prod(param.shape[first_of_row(tuple(param.shape)) :])
        found[at] = param.numel() if row % GROUP == 0 else row
    return found


def batches(params: Sequence[Tensor], members: Iterable[int], most: int) -> list[list[int]]:
    """Members in order, in batches of no more than ``most`` numbers, unless one tensor alone is larger."""
    return in_batches([param.numel() for param in params], members, most)


def in_batches(sizes: Sequence[int], members: Iterable[int], most: int, least: int = 1) -> list[list[int]]:
    """Members in order, in batches of no more than ``most`` numbers, unless the ``least`` of tensors are larger."""
    found: list[list[int]] = []
    room = 0
    for at in members:
        if not found or (sizes[at] > room and len(found[-1]) >= least):
            found.append([])
            room = most
        found[-1].append(at)
        room -= sizes[at]
    return found
