"""Device buckets: the tensors of one set of Triton kernels, with the tables in device memory that these read.

What the host knows and the device needs (pointers, scalars) is copied without waiting: it is written to pinned memory
that nobody writes again before the copy is over. Pointers are copied only when one of them has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine import launch
from gradwright.engine.bucket import folded, refuse_strangers
from gradwright.engine.graph import COLUMN, ROW, TENSOR
from gradwright.engine.layout import Layout
from gradwright.engine.plan import Plan
from gradwright.engine.shared import compile_shared
from gradwright.engine.triton import print_triton
from gradwright.engine.triton_prelude import CHUNK, FOLD, HEIGHT, ROWS, WIDTH
from gradwright.engine.triton_values import ARGUMENTS

PARTS = 128
"""A matrix is cut into no more than this many chunks from top to bottom, since each leaves a vector."""

NOT_WARM = (
    "a step is captured that no step prepared: before capturing, step at least three times as usual, with the same "
    "parameters and gradients, and once more between two captures"
)

_TYPES = {"int64": torch.int64, "float64": torch.float64}


class DeviceKernel:
    """The Triton kernels of a plan, and the program that computes shared values for them.

    Attributes:
        row: the host nodes that a row of scalars holds.
    """

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout
        printed = print_triton(plan, layout, launch.interpreted())
        self.row, self.derived, self.numbers = printed.row, printed.derived, printed.numbers
        self.launches = printed.launches
        module = launch.load(printed.source)
        self.functions = [module[one.name] for one in printed.launches]
        outputs = [*printed.derived, *plan.shared.values()]
        self.shared = compile_shared(plan.graph, outputs) if outputs else None


class DeviceBucket:
    """The tensors of one kernel on one device: what stays the same from step to step is made once."""

    def __init__(self, kernel: DeviceKernel, params: Sequence[Tensor], states: Sequence[dict[str, Any]]) -> None:
        plan, layout = kernel.plan, kernel.layout
        self.kernel, self.params, self.states = kernel, list(params), list(states)
        self.device = self.params[0].device
        count = len(self.params)
        tables = _Tables(folded(self.params, plan.split)[:, :2], plan.split is not None)
        kinds = [plan.graph.nodes[at].kind for at in plan.reductions]
        rows, columns = kinds.count(ROW), kinds.count(COLUMN)
        width = len(plan.tables) + len(plan.vectors) + len(plan.singles) + 1
        sizes = {
            "table": (count, width),
            "scalars": (count, len(kernel.row)),
            "derived": (count, len(kernel.derived)),
            "single": (count, len(plan.singles)),
            "partial": (len(tables.chunk), kinds.count(TENSOR)),
            "row_partial": (rows * tables.row_cells,),
            "column_partial": (columns * tables.column_cells,),
            "row_done": (rows * int(tables.dims[:, 0].sum()),),
            "column_done": (columns * int(tables.dims[:, 1].sum()),),
            "number": (count, kernel.numbers),
        }
        types = {"i64": torch.int64, "fp64": torch.float64, "C": layout.computing}
        given = {"chunk": tables.chunk, "first": tables.first, "dims": tables.dims, "strip": tables.strip}
        taken = {argument for one in kernel.launches for argument in one.arguments}
        self.held: dict[str, Tensor] = {}
        for name, kind in ARGUMENTS.items():
            if name in given and name in taken:
                self.held[name] = _staged(given[name], self.device).to(self.device, non_blocking=True)
            elif name in sizes and (name in taken or name in ("table", "scalars", "derived")):
                self.held[name] = torch.empty(sizes[name], dtype=types[kind], device=self.device)
        programs = {"chunk": len(tables.chunk), "strip": len(tables.strip), "tensor": count}
        self._launches = [
            (function, programs[one.grid], [self.held[name] for name in one.arguments])
            for function, one in zip(kernel.functions, kernel.launches)
        ]
        self._pointers = np.zeros((count, width), dtype=np.int64)
        self._pointers[:, -1] = list(map(Tensor.numel, self.params))
        self._known: dict[str, list[int]] = {}
        handed = [key for keys in plan.asks.values() for key in keys]
        self.parts = dict(zip(handed, torch.empty((len(handed), count), dtype=torch.float64, device=self.device)))
        """What the kernel leaves for totals: for each part a number of each tensor."""
        self._for_capture: Tensor | None = None
        self._captured: list[Tensor] = []

    def point(self, others: Mapping[str, Sequence[Tensor]], captured: bool) -> None:
        """Aim the table of pointers at this step's tensors: gradients and what opaque links made, by table name."""
        plan, moved = self.kernel.plan, False
        for column, name in enumerate([*plan.tables, *plan.vectors, *plan.singles]):
            if name == "param":
                tensors: Sequence[Tensor] = self.params
            elif name in self.parts:
                tensors = self.parts[name].unbind()
            elif name in others:
                tensors = others[name]
            else:
                tensors = list(map(itemgetter(name), self.states))
            pointers = list(map(Tensor.data_ptr, tensors))
            if self._known.get(name) != pointers:
                if name != "param" and name not in others and name not in self.parts:
                    refuse_strangers(self.kernel, self.params, name, tensors)
                self._known[name] = pointers
                self._pointers[:, column] = pointers
                moved = True
        if captured:
            self._point_in_graph()
        elif moved:
            self.held["table"].copy_(_staged(self._pointers, self.device), non_blocking=True)
        if self._for_capture is None and not captured:
            self._for_capture = _staged(self._pointers, self.device)

    def _point_in_graph(self) -> None:
        """Copy the table as a part of a CUDA graph, from memory of its own that every replay will read again."""
        if self._for_capture is None:
            raise RuntimeError(NOT_WARM)
        self._for_capture.numpy()[:] = self._pointers
        self.held["table"].copy_(self._for_capture, non_blocking=True)
        self._captured.append(self._for_capture)
        self._for_capture = None
        # replays write the table, so that nothing is known of it from now on
        self._known.clear()

    def fill(self, rows: Any) -> None:
        """Bring the host's scalars to the device: one row for all tensors, or one for each."""
        target = self.held["scalars"]
        if target.numel():
            whole = np.broadcast_to(np.asarray(rows, dtype=np.float64), target.shape)
            target.copy_(_staged(whole, self.device), non_blocking=True)

    def derive(self, shared: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute what depends on the loss or on shared slots; returns the new values of these."""
        kernel = self.kernel
        if kernel.shared is None:
            return {}
        host = dict(zip(kernel.row, self.held["scalars"].unbind(1)))
        values = kernel.shared(host, shared)
        count = len(kernel.derived)
        if count:
            torch.stack([value.expand(len(self.params)) for value in values[:count]], 1, out=self.held["derived"])
        return {key: value.reshape(-1)[0] for key, value in zip(kernel.plan.shared, values[count:])}

    def launch(self) -> None:
        for function, programs, arguments in self._launches:
            launch.start(function, programs, arguments)


class _Tables:
    """How tensors are cut into chunks, and vectors into strips: see the arguments of kernels."""

    def __init__(self, sizes: np.ndarray, matrix: bool) -> None:
        rows, columns = sizes[:, 0], sizes[:, 1]
        self.row_cells = self.column_cells = 0
        self.dims = np.zeros((len(sizes), 8), dtype=np.int64)
        self.strip = np.empty((0, 4), dtype=np.int64)
        if not matrix:
            lengths = rows * columns
            tensor, local, self.first = _numbered(-(-lengths // CHUNK))
            self.chunk = _table(tensor, local * CHUNK, np.minimum((local + 1) * CHUNK, lengths[tensor]))
            return
        height = np.maximum(ROWS, -(-rows // (PARTS * HEIGHT)) * HEIGHT)
        row_parts, column_parts = -(-columns // WIDTH), -(-rows // height)
        cells = _table(rows, columns, rows * row_parts, columns * column_parts)
        self.row_cells, self.column_cells = map(int, cells[:, 2:].sum(axis=0))
        begins = np.cumsum(cells, axis=0) - cells
        self.dims = np.ascontiguousarray(np.column_stack([rows, columns, begins, row_parts, column_parts]))
        tensor, local, self.first = _numbered(row_parts * column_parts)
        part, across = local // row_parts[tensor], local % row_parts[tensor]
        top = part * height[tensor]
        self.chunk = _table(tensor, top, np.minimum(top + height[tensor], rows[tensor]), across * WIDTH, part)
        self.strip = np.concatenate([_strips(rows, 0), _strips(columns, 1)])


def _table(*columns: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.stack(columns, axis=1))


def _numbered(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For so many parts of each tensor: the tensor of each part, its number there, and where each tensor begins."""
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    tensor = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return tensor, np.arange(first[-1], dtype=np.int64) - first[tensor], first


def _strips(lengths: np.ndarray, axis: int) -> np.ndarray:
    tensor, local, _ = _numbered(-(-lengths // FOLD))
    end = np.minimum((local + 1) * FOLD, lengths[tensor])
    return _table(tensor, np.full_like(tensor, axis), local * FOLD, end)


def _staged(values: np.ndarray, device: torch.device) -> Tensor:
    """``values`` in memory of the host that can be copied from without waiting."""
    staging = torch.empty(values.shape, dtype=_TYPES[values.dtype.name], pin_memory=device.type == "cuda")
    staging.numpy()[...] = values
    return staging
