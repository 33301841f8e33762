"""The tensors of one C++ kernel, with the tables of pointers and chunks that it reads."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.backend import Column, Reduced, Shape
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

    def bind(self, params: Sequence[Tensor], whole: Sequence[Shape] | None = None) -> CppBound:
        return CppBound(self, params, whole)

    def __call__(self, counts: np.ndarray, buffers: np.ndarray, first: int, last: int) -> None:
        self._run(counts.ctypes.data, buffers.ctypes.data, first, last)


class CppBound:
    """The tensors of one kernel: what stays the same from step to step is made once."""

    def __init__(self, kernel: CppKernel, params: Sequence[Tensor], whole: Sequence[Shape] | None = None) -> None:
        program, real = kernel.program, kernel.real
        self.kernel, self.count = kernel, len(params)
        self.threads = torch.get_num_threads()
        dims = table_of_sizes(program.sizes(params))
        nodes = program.graph.nodes
        kinds = [nodes[at].kind for at in program.reductions]
        line = lines(params) if program.grouped else dims[:, 0] * dims[:, 1]
        unit = dims[:, 1] if program.folding is not None else np.where(line < dims[:, 0] * dims[:, 1], line, 1)
        chunk, self.first = _chunks(dims, unit, COLUMN in kinds)
        cells = np.concatenate(([0], np.cumsum(dims[chunk[:, 0], 1])))
        longest, total = int(dims[:, :2].max()), int(dims[:, :2].sum())
        vectors = sum(TENSOR < node.kind < ELEMENT for node in nodes)
        held = len(program.of(ROW, COLUMN))
        singles = sum(one.source is Source.STATE for one in program.of(TENSOR))
        self._held = {
            "chunk": chunk,
            "lines": line,
            "keys": np.zeros(self.count, dtype=np.int64),
            "whole": program.counts(params, whole),
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

    def allow(self, good: Tensor) -> None:
        raise NotImplementedError  # who runs on the host knows before the step

    def run(self, first: int, last: int) -> None:
        self._counts[COUNTS.index("threads")] = min(threads_for(self.numel), self.threads)
        self.kernel(self._counts, self._buffers, first, last)

    def part(self, key: str) -> Tensor:
        return torch.tensor(self.parts[self.kernel.program.sums.index(key)].sum(), dtype=torch.float64, device="cpu")

    def reduced(self, sweep: int) -> list[Reduced]:
        program, nodes = self.kernel.program, self.kernel.program.graph.nodes
        return [Reduced(nodes[at].op, nodes[at].kind, self._left(at)) for at in program.sweeps[sweep].reductions]

    def settle(self, sweep: int, values: Sequence[Tensor]) -> None:
        nodes = self.kernel.program.graph.nodes
        for at, one in zip(self.kernel.program.sweeps[sweep].reductions, values):
            partial, settled = self._partial(at), one.to(torch.float64).numpy()
            if nodes[at].kind == ROW:
                partial[:] = settled
                continue
            partial[:] = 0.0 if nodes[at].op == "sum" else -np.inf
            if nodes[at].kind == TENSOR:
                partial[self.first[:-1]] = settled
            else:
                partial[self._first_cells()] = settled

    def _partial(self, at: int) -> np.ndarray:
        """Where the kernel leaves a reduction, and finds it."""
        nodes, kind = self.kernel.program.graph.nodes, self.kernel.program.graph.nodes[at].kind
        own = [one for one in self.kernel.program.reductions if nodes[one].kind == kind].index(at)
        return self._held[{TENSOR: "partial", ROW: "row_partial", COLUMN: "column_partial"}[kind]][own]

    def _left(self, at: int) -> Tensor:
        """What a reduction came to in all chunks together."""
        node, partial = self.kernel.program.graph.nodes[at], self._partial(at)
        fold = np.add if node.op == "sum" else np.maximum
        if node.kind == TENSOR:
            return torch.from_numpy(fold.reduceat(partial, self.first[:-1]))
        if node.kind == COLUMN:
            return torch.from_numpy(np.concatenate([fold.reduce(span, axis=0) for span in self._spans(partial)]))
        return torch.from_numpy(partial)

    def _spans(self, partial: np.ndarray) -> Iterator[np.ndarray]:
        """The vectors by column that the chunks of each tensor left: chunks x columns."""
        cells, widths = self._held["chunk_cell"], self._held["dims"][:, 1]
        for width, first, end in zip(widths, self.first[:-1], self.first[1:]):
            yield partial[cells[first] : cells[first] + (end - first) * width].reshape(end - first, width)

    def _first_cells(self) -> np.ndarray:
        """The places of the vectors of each tensor's first chunk."""
        widths, begins = self._held["dims"][:, 1], self._held["chunk_cell"][self.first[:-1]]
        return np.concatenate([np.arange(begin, begin + width) for begin, width in zip(begins, widths)])


def _chunks(dims: np.ndarray, unit: np.ndarray, columns_are_summed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Chunks as (tensor, begin, length), and the first chunk of each tensor with the end of the last behind.

    A chunk is a number of whole units, such as rows, and a tensor of which this rank holds nothing has one of none.
    Where columns are summed each chunk leaves a vector, so there are at most sixteen of them in a tensor.
    """
    rows, columns = dims[:, 0], dims[:, 1]
    lengths = rows * columns
    unit = np.maximum(unit, 1)
    unit = -(-CHUNK // unit) * unit
    if columns_are_summed:
        unit = np.maximum(unit, -(-rows // 16) * columns)
    counts = np.maximum(-(-lengths // unit), 1)
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    tensor = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
    begin = (np.arange(first[-1], dtype=np.int64) - first[tensor]) * unit[tensor]
    length = np.minimum(unit[tensor], lengths[tensor] - begin)
    return np.ascontiguousarray(np.stack([tensor, begin, length], axis=1)), first
