"""What tensors were when they were looked at, and how to look again: the definition, in Python.

Whether each still has its shape, type and memory, and where it lies.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from gradwright.native.libtorch import Native


class Verdict(enum.IntEnum):
    """What became of a tensor."""

    SAME = 0
    MOVED = 1
    """It lies elsewhere, but is all that it was."""
    OTHER = 2
    """Its shape, strides, type or device changed, its memory is too small or shared, or says not what it holds: look
    closer."""
    MISSING = 3
    """There is no gradient."""


class Known:
    """What tensors were when they were looked at last.

    Attributes:
        pointers: where they lie.
        verdicts: what became of each when it was looked at last.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.count = len(tensors)
        self.shapes = [(tensor.dtype, tensor.device, tuple(tensor.shape), tensor.stride()) for tensor in tensors]
        self.bytes = [extent(tensor) * tensor.element_size() for tensor in tensors]
        self.pointers = np.fromiter((tensor.data_ptr() for tensor in tensors), np.int64, self.count)
        self.verdicts = np.zeros(self.count, np.uint8)
        self._facts: np.ndarray | None = None
        self.objects = np.zeros(0, np.int64)
        """Python's tensors, by ``id``, where they are the same as at the last look."""
        self.impls = np.zeros(self.count, np.int64)
        """What torch's own code knows the tensors by."""

    def facts(self, native: Native) -> np.ndarray:
        """The same for compiled code."""
        if self._facts is None:
            rows, sizes = [], [0]
            for (dtype, device, shape, strides), count in zip(self.shapes, self.bytes):
                device_type, index = native.devices(device)
                kind, item = native.number_of(dtype), dtype.itemsize
                rows.append((kind, device_type, index, len(shape), len(sizes), item, count, dtype.is_complex))
                sizes += [*shape, *strides]
            self._facts = np.array(rows, np.int64).reshape(-1, 8)
            self.sizes = np.array(sizes, np.int64)
            self.handles = np.zeros(self.count, np.int64)
        return self._facts


def extent(tensor: Tensor) -> int:
    """How many entries of memory lie between a tensor's first and its last, those two included."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))


def look_in_python(known: Known, tensors: Sequence[Tensor]) -> int:
    """The definition of :func:`look`."""
    for at, tensor in enumerate(tensors):
        known.verdicts[at] = Verdict.OTHER
        if _fits(known, at, tensor):
            place = tensor.data_ptr()
            if place or not known.bytes[at]:
                known.verdicts[at] = Verdict.SAME if place == known.pointers[at] else Verdict.MOVED
                known.pointers[at] = place
    return int(known.verdicts.max(initial=0))


def look_at_gradients_in_python(
    known: Known, grads: Sequence[Tensor | None], owners: np.ndarray, written: np.ndarray
) -> int:
    """The definition of :func:`look_at_gradients`."""
    for at, grad in enumerate(grads):
        known.verdicts[at] = Verdict.MISSING if grad is None else Verdict.OTHER
        if grad is None or not _fits(known, at, grad):
            continue
        place = grad.data_ptr()
        if place or not known.bytes[at]:
            known.pointers[at] = place
            shared = bool(((written[0] < place + known.bytes[at]) & (written[1] > place)).any())
            askew = place % grad.element_size() != 0  # code that reads whole numbers may not read there
            known.verdicts[at] = Verdict.OTHER if askew or (shared and place != owners[at]) else Verdict.SAME
    return int(known.verdicts.max(initial=0))


def _fits(known: Known, at: int, tensor: Tensor) -> bool:
    dtype, device, shape, strides = known.shapes[at]
    if tensor.layout != torch.strided or tensor.dtype != dtype or tuple(tensor.shape) != shape:
        return False
    if tensor.is_neg() or tensor.is_conj() or tensor.device != device:
        return False
    alike = all(size <= 1 or one == other for size, one, other in zip(shape, tensor.stride(), strides))
    begin = tensor.storage_offset() * tensor.element_size()
    try:
        return alike and begin + known.bytes[at] <= tensor.untyped_storage().nbytes()
    except (RuntimeError, NotImplementedError):  # it has no memory of its own
        return False


def stretches(begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The memory of tensors as stretches that do not touch one another, in order: their begins, then their ends."""
    order = np.argsort(begins, kind="stable")
    order = order[ends[order] > begins[order]]
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    first = np.ones(len(begins), bool)
    first[1:] = begins[1:] > ends[:-1]
    last = np.append(first[1:], True)[: len(begins)]
    return np.ascontiguousarray(np.stack([begins[first], ends[last]]))
