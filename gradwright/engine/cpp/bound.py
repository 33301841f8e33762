"""The tensors of one C++ kernel, with the tables of pointers and chunks that it reads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.backend import Column
from gradwright.engine.cpp.prelude import BUFFERS, CHUNK, COUNTS
from gradwright.engine.cpp.printer import print_cpp
from gradwright.engine.memory import lines, table_of_sizes
from gradwright.engine.operand import COLUMN, ELEMENT, ROW, TENSOR, Source
from gradwright.engine.program import Program
from gradwright.native import build
from gradwright.native.threads import threads_for


class CppKernel:
    """A compiled program; a row of its scalars holds the values of the nodes ``row``."""

    def __init__(self, program: Program) -> None:
        self.program, self.row = program, program.host
        self.source = print_cpp(program)
        self._run = build.load(self.source).run
        self._run.restype = None
        self._run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
        self.real = np.float64 if program.computing == torch.float64 else np.float32

    def bind(self, params: Sequence[Tensor]) -> CppBound:
        return CppBound(self, params)

    def __call__(self, counts: np.ndarray, buffers: np.ndarray, first: int, last: int) -> None:
        self._run(counts.ctypes.data, buffers.ctypes.data, first, last)


class CppBound:
    """The tensors of one kernel: what stays the same from step to step is made once."""

    def __init__(self, kernel: CppKernel, params: Sequence[Tensor]) -> None:
        program, real = kernel.program, kernel.real
        self.kernel, self.count = kernel, len(params)
        self.threads = torch.get_num_threads()
        dims = table_of_sizes(program.sizes(params))
        nodes = program.graph.nodes
        kinds = [nodes[at].kind for at in program.reductions]
        line = lines(params) if program.grouped else dims[:, 0] * dims[:, 1]
        whole = dims[:, 1] if program.folding is not None else np.where(line < dims[:, 0] * dims[:, 1], line, 1)
        chunk, self.first = _chunks(dims, whole, COLUMN in kinds)
        cells = np.concatenate(([0], np.cumsum(dims[chunk[:, 0], 1])))
        longest, total = int(dims[:, :2].max()), int(dims[:, :2].sum())
        vectors = sum(TENSOR < node.kind < ELEMENT for node in nodes)
        held = len(program.of(ROW, COLUMN))
        singles = sum(one.source is Source.STATE for one in program.of(TENSOR))
        self._held = {
            "chunk": chunk,
            "lines": line,
            "keys": np.zeros(self.count, dtype=np.int64),
            "first": self.first,
            "table": np.zeros((len(program.arrays), self.count), dtype=np.int64),
            "scalars": np.empty((self.count, len(program.host)), dtype=real),
            "single": np.empty((singles, self.count), dtype=real),
            "partial": np.empty((kinds.count(TENSOR), len(chunk)), dtype=np.float64),
            "dims": dims,
            "row_partial": np.empty((kinds.count(ROW), int(dims[:, 0].sum())), dtype=real),
            "column_partial": np.empty((kinds.count(COLUMN), int(cells[-1])), dtype=real),
            "chunk_cell": np.ascontiguousarray(cells[:-1]),
            "scratch": np.empty((self.threads, vectors, longest if vectors else 0), dtype=real),
            "staging": np.empty((held, total if held else 0), dtype=real),
        }
        self.parts = np.zeros((len(program.sums), self.count), dtype=np.float64)
        """What the kernel leaves for totals: parts x tensors."""
        sizes = {
            "tensors": self.count,
            "chunks": len(chunk),
            "threads": self.threads,
            "row_total": int(dims[:, 0].sum()),
            "column_total": int(dims[:, 1].sum()),
            "longest": longest,
            "cells": int(cells[-1]),
            "row": 0,
        }
        self._counts = np.array([sizes[name] for name in COUNTS], dtype=np.int64)
        self._buffers = np.array([self._held[name].ctypes.data for name in BUFFERS], dtype=np.int64)
        self.scalars, self.table = self._held["scalars"], self._held["table"]
        self.numel = int((dims[:, 0] * dims[:, 1]).sum())
        self.rows = {array: at for at, array in enumerate(program.arrays)}
        places = np.arange(self.count, dtype=np.int64) * self.parts.itemsize
        for key, part in zip(program.sums, self.parts):
            self.table[self.rows[key]] = part.ctypes.data + places

    def aim(self, array: str, column: Column) -> None:
        self.table[self.rows[array]] = column.pointers

    def fill(self, rows: Sequence[Sequence[float]]) -> None:
        with np.errstate(over="ignore"):  # what is too large is infinite, as in torch
            if len(rows) == 1:
                self.scalars[0] = rows[0]
            else:
                self.scalars[:] = rows
        self._counts[COUNTS.index("row")] = 0 if len(rows) == 1 else self.scalars.shape[1]

    def draw(self, keys: np.ndarray) -> None:
        self._held["keys"][:] = keys

    def know(self, given: Mapping[str, Tensor]) -> dict[str, Any]:
        return {}  # the host computes all of it and hands it over as scalars

    def run(self, first: int, last: int) -> None:
        self._counts[COUNTS.index("threads")] = min(threads_for(self.numel), self.threads)
        self.kernel(self._counts, self._buffers, first, last)

    def part(self, key: str) -> Tensor:
        return torch.tensor(self.parts[self.kernel.program.sums.index(key)].sum(), dtype=torch.float64, device="cpu")

    def combine(self, sweep: int, combine: Callable[[str, int, Tensor], Tensor]) -> None:
        program, nodes = self.kernel.program, self.kernel.program.graph.nodes
        for at in program.sweeps[sweep].reductions:
            op, kind = nodes[at].op, nodes[at].kind
            fold, nothing = (np.add, 0.0) if op == "sum" else (np.maximum, -np.inf)
            own = [one for one in program.reductions if nodes[one].kind == kind].index(at)
            if kind == ROW:
                values = self._held["row_partial"][own]
                values[:] = combine(op, kind, torch.from_numpy(values)).numpy()
            elif kind == TENSOR:
                partial = self._held["partial"][own]
                whole = combine(op, kind, torch.from_numpy(fold.reduceat(partial, self.first[:-1])))
                partial[:] = nothing
                partial[self.first[:-1]] = whole.numpy()
            else:
                self._combine_columns(self._held["column_partial"][own], fold, nothing, op, combine)

    def _combine_columns(self, partial: np.ndarray, fold: Any, nothing: float, op: str, combine: Any) -> None:
        """Leave the combined vector of each tensor in the place of its first chunk."""
        cells, widths = self._held["chunk_cell"], self._held["dims"][:, 1]
        begins, folded_vectors = [], []
        for tensor, (first, end) in enumerate(zip(self.first[:-1], self.first[1:])):
            width = widths[tensor]
            begins.append(slice(cells[first], cells[first] + width))
            span = partial[cells[first] : cells[first] + (end - first) * width].reshape(end - first, width)
            folded_vectors.append(fold.reduce(span, axis=0))
        whole = combine(op, COLUMN, torch.from_numpy(np.concatenate(folded_vectors))).numpy()
        partial[:] = nothing
        for place, values in zip(begins, np.split(whole, np.cumsum(widths)[:-1])):
            partial[place] = values


def _chunks(dims: np.ndarray, whole: np.ndarray, columns_are_summed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Chunks as (tensor, begin, length), and the first chunk of each tensor with the end of the last behind.

    Where rows matter a chunk is a number of ``whole`` ones. Where columns are summed each chunk leaves a vector, so
    there are at most sixteen of them in a tensor.
    """
    rows, columns = dims[:, 0], dims[:, 1]
    lengths = rows * columns
    unit = -(-CHUNK // whole) * whole
    if columns_are_summed:
        unit = np.maximum(unit, -(-rows // 16) * columns)
    counts = -(-lengths // unit)
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    tensor = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
    begin = (np.arange(first[-1], dtype=np.int64) - first[tensor]) * unit[tensor]
    length = np.minimum(unit[tensor], lengths[tensor] - begin)
    return np.ascontiguousarray(np.stack([tensor, begin, length], axis=1)), first
