"""Bucket: tensors that run the same kernel, with the tables of pointers and chunks that it reads."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from operator import is_, itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.cpp import print_cpp
from gradwright.engine.cpp_prelude import BUFFERS, CHUNK, COUNTS
from gradwright.engine.graph import COLUMN, ELEMENT, ROW, TENSOR
from gradwright.engine.layout import Layout
from gradwright.engine.plan import Plan
from gradwright.native import build


class Kernel:
    """A compiled plan; a row of its scalars holds the values of the nodes ``row``."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout, self.row = plan, layout, plan.host
        self.source = print_cpp(plan, layout)
        self._run = build.load(self.source).run
        self._run.restype = None
        self._run.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self.real = np.float64 if layout.computing == torch.float64 else np.float32

    def __call__(self, bucket: Bucket, threads: int) -> None:
        bucket.counts[COUNTS.index("threads")] = threads
        self._run(bucket.counts.ctypes.data, bucket.buffers.ctypes.data)


class Bucket:
    """The tensors of one kernel: what stays the same from step to step is made once."""

    def __init__(
        self, kernel: Kernel, params: Sequence[Tensor], states: Sequence[dict[str, Any]], threads: int
    ) -> None:
        plan, real = kernel.plan, kernel.real
        self.kernel, self.params, self.states = kernel, list(params), list(states)
        count = len(self.params)
        dims = folded(self.params, plan.split)
        kinds = [plan.graph.nodes[at].kind for at in plan.reductions]
        chunk, first = _chunks(dims, plan.split is not None, COLUMN in kinds)
        widths = dims[chunk[:, 0], 1]
        cells = np.concatenate(([0], np.cumsum(widths)))
        longest, total = int(dims[:, :2].max()), int(dims[:, :2].sum())
        vectors = sum(TENSOR < node.kind < ELEMENT for node in plan.graph.nodes)
        self._held = {
            "chunk": chunk,
            "first": first,
            "table": np.empty((len(plan.tables), count), dtype=np.int64),
            "scalars": np.empty((count, len(plan.host)), dtype=real),
            "single_table": np.empty((len(plan.singles), count), dtype=np.int64),
            "single": np.empty((len(plan.singles), count), dtype=real),
            "partial": np.empty((kinds.count(TENSOR), len(chunk)), dtype=np.float64),
            "dims": dims,
            "vector_table": np.empty((len(plan.vectors), count), dtype=np.int64),
            "row_partial": np.empty((kinds.count(ROW), int(dims[:, 0].sum())), dtype=real),
            "column_partial": np.empty((kinds.count(COLUMN), int(cells[-1])), dtype=real),
            "chunk_cell": np.ascontiguousarray(cells[:-1]),
            "scratch": np.empty((threads, vectors, longest if vectors else 0), dtype=real),
            "staging": np.empty((len(plan.vectors), total), dtype=real),
        }
        self.parts = np.zeros((sum(map(len, plan.asks.values())), count), dtype=np.float64)
        """What the kernel leaves for totals: parts x tensors."""
        sizes = {
            "tensors": count,
            "chunks": len(chunk),
            "threads": threads,
            "row_total": int(dims[:, 0].sum()),
            "column_total": int(dims[:, 1].sum()),
            "longest": longest,
            "cells": int(cells[-1]),
        }
        self.counts = np.array([sizes[name] for name in COUNTS], dtype=np.int64)
        self.buffers = np.array([self._held[name].ctypes.data for name in BUFFERS], dtype=np.int64)
        self.scalars, self.table = self._held["scalars"], self._held["table"]
        self.numel, self.threads = int((dims[:, 0] * dims[:, 1]).sum()), threads
        self._slots: dict[str, _Held] = {}
        self._aimed: list[int] | None = None
        self._turn = 0
        own = len(plan.singles) - len(self.parts)
        places = np.arange(self.parts.size, dtype=np.int64).reshape(self.parts.shape) * self.parts.itemsize
        self._held["single_table"][own:] = self.parts.ctypes.data + places

    def point(self, params: list[int], others: dict[str, list[int]]) -> None:
        """Aim the pointer tables at this step's tensors: at parameters, and by name at what is new at every step."""
        plan = self.kernel.plan
        self._turn += 1
        for column, name in enumerate(plan.tables):
            if name == "param":
                if params is not self._aimed:
                    self.table[column] = params
            elif name in others:
                self.table[column] = others[name]
            else:
                self._point_slot(name, self.table[column])
        slots = plan.singles[: len(plan.singles) - len(self.parts)]
        for names, table in ((slots, "single_table"), (tuple(plan.vectors), "vector_table")):
            for column, name in enumerate(names):
                self._point_slot(name, self._held[table][column])
        self._aimed = params

    def _point_slot(self, name: str, column: np.ndarray) -> None:
        tensors = list(map(itemgetter(name), self.states))
        held = self._slots.get(name)
        if held is None or not held.still(tensors, self._turn):
            refuse_strangers(self.kernel, self.params, name, tensors)
            held = self._slots[name] = _Held(tensors)
            column[:] = held.places


class _Held:
    """State tensors and where they lie, which to look up anew at every step would cost more than all else.

    That a tensor was replaced by another is seen at once. That one and the same tensor was given other memory
    (``state["m"].data = ...``, ``share_memory_()``) is seen at once where the first or the last of a slot is concerned,
    as it is where somebody moves them all, and otherwise within ``ROUND`` steps.
    """

    ROUND = 8

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors, self.places = tensors, list(map(Tensor.data_ptr, tensors))
        self.memory = [tensor.detach() for tensor in tensors]  # a tensor given another storage leaves this one alive

    def still(self, tensors: list[Tensor], turn: int) -> bool:
        """Whether these are the tensors, where they were."""
        some = slice(turn % self.ROUND, None, self.ROUND)
        return (
            all(map(is_, self.tensors, tensors))
            and tensors[0].data_ptr() == self.places[0]
            and tensors[-1].data_ptr() == self.places[-1]
            and list(map(Tensor.data_ptr, tensors[some])) == self.places[some]
        )


def refuse_strangers(kernel: Any, params: Sequence[Tensor], name: str, held: Sequence[Tensor]) -> None:
    """State that somebody replaced from outside must be laid out as the kernel reads it."""
    plan, layout = kernel.plan, kernel.layout
    full = name in plan.tables
    names = plan.tables if full else tuple(plan.vectors) if name in plan.vectors else plan.singles
    stored = layout.stored if full else layout.vectors if name in plan.vectors else layout.singles
    dtype = stored[names.index(name)]
    for value, param in zip(held, params):
        # a slot that keeps every dimension is as good as one like the parameter
        laid_out = value.numel() == param.numel() and (
            value.stride() == param.stride() or (value.is_contiguous() and param.is_contiguous())
        )
        if value.dtype != dtype or value.device != param.device or not (laid_out if full else value.is_contiguous()):
            raise RuntimeError(
                f"the state {name!r} of a parameter of shape {tuple(param.shape)} was replaced by a {value.dtype} "
                f"tensor of shape {tuple(value.shape)} and strides {value.stride()} on {value.device}; expected "
                f"{dtype} with strides {param.stride()} on {param.device}. Copy into the state instead of replacing it"
            )


def folded(params: Sequence[Tensor], split: int | None) -> np.ndarray:
    """For each tensor its rows and columns, and where they begin among the rows and columns of all."""
    if split is None:
        sizes = [(1, param.numel()) for param in params]
    else:
        sizes = [(math.prod(param.shape[:split]), math.prod(param.shape[split:])) for param in params]
    dims = np.zeros((len(params), 4), dtype=np.int64)
    dims[:, :2] = sizes
    dims[1:, 2:] = np.cumsum(dims[:-1, :2], axis=0)
    return dims


def _chunks(dims: np.ndarray, by_rows: bool, columns_are_summed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Chunks as (tensor, begin, length), and the first chunk of each tensor with the end of the last behind.

    Where rows matter a chunk is a number of whole rows. Where columns are summed each chunk leaves a vector, so there
    are at most sixteen of them in a tensor.
    """
    rows, columns = dims[:, 0], dims[:, 1]
    lengths = rows * columns
    unit = np.full_like(lengths, CHUNK)
    if by_rows:
        unit = -(-CHUNK // columns) * columns
    if columns_are_summed:
        unit = np.maximum(unit, -(-rows // 16) * columns)
    counts = -(-lengths // unit)
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    tensor = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
    begin = (np.arange(first[-1], dtype=np.int64) - first[tensor]) * unit[tensor]
    length = np.minimum(unit[tensor], lengths[tensor] - begin)
    return np.ascontiguousarray(np.stack([tensor, begin, length], axis=1)), first
