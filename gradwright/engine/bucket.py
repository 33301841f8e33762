"""Bucket: tensors that run the same kernel, with the tables of pointers and chunks that it reads."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from operator import is_, itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine import build
from gradwright.engine.cpp import CHUNK, Layout, print_cpp
from gradwright.engine.plan import Plan


class Kernel:
    """A compiled plan."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout
        self.source = print_cpp(plan, layout)
        self._run = build.load(self.source).run
        self._run.restype = None
        self._run.argtypes = [ctypes.c_longlong, ctypes.c_longlong, *[ctypes.c_void_p] * 7, ctypes.c_int]
        self.partials = sum(len(sweep) for sweep in plan.sweeps)
        self.real = np.float64 if layout.computing == torch.float64 else np.float32

    def __call__(self, bucket: Bucket, threads: int) -> None:
        self._run(
            len(bucket.params),
            len(bucket.chunks),
            bucket.chunks.ctypes.data,
            bucket.first.ctypes.data,
            bucket.table.ctypes.data,
            bucket.rows.ctypes.data,
            bucket.single_table.ctypes.data,
            bucket.singles.ctypes.data,
            bucket.partials.ctypes.data,
            threads,
        )


class Bucket:
    """The tensors of one kernel: what stays the same from step to step is made once."""

    def __init__(self, kernel: Kernel, params: Sequence[Tensor], states: Sequence[dict[str, Any]]) -> None:
        plan = kernel.plan
        self.kernel, self.params, self.states = kernel, list(params), list(states)
        count = len(self.params)
        self.chunks, self.first = _chunks([param.numel() for param in self.params])
        self.table = np.empty((len(plan.tables), count), dtype=np.int64)
        self.rows = np.empty((count, len(plan.host)), dtype=kernel.real)
        self.single_table = np.empty((len(plan.singles), count), dtype=np.int64)
        self.singles = np.empty((len(plan.singles), count), dtype=kernel.real)
        self.partials = np.empty((kernel.partials, len(self.chunks)), dtype=np.float64)
        self._slots: dict[str, list[Tensor]] = {}

    def point(self, grads: Sequence[Tensor]) -> None:
        """Aim the pointer table at this step's tensors."""
        plan = self.kernel.plan
        for column, name in enumerate(plan.tables):
            if name == "param":
                self.table[column] = list(map(Tensor.data_ptr, self.params))
            elif name == "grad":
                self.table[column] = list(map(Tensor.data_ptr, grads))
            else:
                self._point_slot(name, self.table[column])
        for column, name in enumerate(plan.singles):
            self._point_slot(name, self.single_table[column])

    def _point_slot(self, name: str, column: np.ndarray) -> None:
        held = list(map(itemgetter(name), self.states))
        known = self._slots.get(name)
        if known is None or not all(map(is_, known, held)):
            self._refuse_strangers(name, held)
            self._slots[name] = held
        column[:] = list(map(Tensor.data_ptr, held))

    def _refuse_strangers(self, name: str, held: Sequence[Tensor]) -> None:
        """State that somebody replaced from outside must be laid out as the kernel reads it."""
        plan, layout = self.kernel.plan, self.kernel.layout
        single = name in plan.singles
        dtype = layout.singles[plan.singles.index(name)] if single else layout.stored[plan.tables.index(name)]
        for value, param in zip(held, self.params):
            laid_out = value.numel() == 1 if single else value.shape == param.shape and value.stride() == param.stride()
            if value.dtype != dtype or not laid_out:
                raise RuntimeError(
                    f"the state {name!r} of a parameter of shape {tuple(param.shape)} was replaced by a {value.dtype} "
                    f"tensor of shape {tuple(value.shape)} and strides {value.stride()}; expected {dtype} with "
                    f"strides {param.stride()}. Copy into the state instead of replacing it"
                )


def _chunks(sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Chunks as (tensor, begin, length), and the first chunk of each tensor with the end of the last behind."""
    lengths = np.asarray(sizes, dtype=np.int64)
    counts = -(-lengths // CHUNK)
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    tensor = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
    begin = (np.arange(first[-1], dtype=np.int64) - first[tensor]) * CHUNK
    length = np.minimum(CHUNK, lengths[tensor] - begin)
    return np.ascontiguousarray(np.stack([tensor, begin, length], axis=1)), first
