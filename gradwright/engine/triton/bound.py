"""The tensors of one set of Triton kernels, with the tables in device memory that these read.

What the host knows and the device needs (pointers, scalars) is copied without waiting: it is written to pinned memory
that nobody writes again before the copy is over. Pointers are copied only when one of them has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.backend import Column, Reduced, Shape
from gradwright.engine.capture import NOT_WARM, capturing
from gradwright.engine.graph.shared import compile_shared
from gradwright.engine.memory import lines, table_of_sizes
from gradwright.engine.operand import COLUMN, ROW, TENSOR
from gradwright.engine.program import Program
from gradwright.engine.triton import launch
from gradwright.engine.triton.chunks import Chunks
from gradwright.engine.triton.printer import print_triton
from gradwright.engine.triton.values import ARGUMENTS

_TYPES = {"int64": torch.int64, "float64": torch.float64}
_captured: list[TritonBound] = []
"""Those whose memory a CUDA graph may read at any time from now on."""


class TritonKernel:
    """The Triton kernels of a program, and what computes shared values for them.

    Args:
        program: what they do.
        skips: whether they do nothing where a truth value on the device says so.

    Attributes:
        row: the host nodes that a row of scalars holds.
    """

    def __init__(self, program: Program, skips: bool = False) -> None:
        self.program = program
        self.printed = print_triton(program, launch.interpreted(), skips)
        self.row, self.derived, self.numbers = self.printed.row, self.printed.derived, self.printed.numbers
        module = launch.load(self.printed.source)
        self.functions = [module[one.name] for one in self.printed.launches]
        outputs = [*self.derived, *program.shared.values()]
        self.shared = compile_shared(program.graph, outputs) if outputs else None

    def bind(self, params: Sequence[Tensor], whole: Sequence[Shape] | None = None) -> TritonBound:
        return TritonBound(self, params, whole)


class TritonBound:
    """The tensors of one program on one device: what stays the same from step to step is made once."""

    def __init__(self, kernel: TritonKernel, params: Sequence[Tensor], whole: Sequence[Shape] | None = None) -> None:
        program = kernel.program
        self.kernel, self.count, self.device = kernel, len(params), params[0].device
        counts = program.counts(params, whole)
        sizes_here = table_of_sizes(program.sizes(params))[:, :2]
        line = lines(params) if program.grouped else None
        self.chunks = chunks = Chunks(sizes_here, counts[:, 1:], program.folding is not None, line)
        nodes = program.graph.nodes
        kinds = [nodes[at].kind for at in program.reductions]
        rows, columns = kinds.count(ROW), kinds.count(COLUMN)
        width = len(program.arrays) + 1
        singles = len(program.of(TENSOR)) - len(program.sums)
        sizes = {
            "table": (self.count, width),
            "keys": (self.count,),
            "scalars": (self.count, len(kernel.row)),
            "derived": (self.count, len(kernel.derived)),
            "single": (self.count, singles),
            "partial": (len(chunks.chunk), kinds.count(TENSOR)),
            "row_partial": (rows * chunks.row_cells,),
            "column_partial": (columns * chunks.column_cells,),
            "row_done": (rows * int(chunks.dims[:, 0].sum()),),
            "column_done": (columns * int(chunks.dims[:, 1].sum()),),
            "number": (self.count, kernel.numbers),
            "good": (),
        }
        types = {"i32": torch.int32, "i64": torch.int64, "fp64": torch.float64, "C": program.computing}
        given = {name: getattr(chunks, name) for name in ("chunk", "first", "dims", "strip", "lines")}
        taken = {argument for one in kernel.printed.launches for argument in one.arguments}
        self.held: dict[str, Tensor] = {}
        for name, kind in ARGUMENTS.items():
            if name in given and name in taken:
                self.held[name] = _staged(given[name], self.device).to(self.device, non_blocking=True)
            elif name in sizes and (name in taken or name in ("table", "scalars", "derived")):
                self.held[name] = torch.empty(sizes[name], dtype=types[kind], device=self.device)
        instances = {"chunk": len(chunks.chunk), "strip": len(chunks.strip), "tensor": self.count}
        if "good" in self.held:
            self.held["good"].fill_(1)
        self._launches = [
            (one.sweep, function, instances[one.grid], [self.held[name] for name in one.arguments])
            for function, one in zip(kernel.functions, kernel.printed.launches)
        ]
        self._pointers = np.zeros((self.count, width), dtype=np.int64)
        self._pointers[:, -1] = counts[:, 0]
        self.rows = {array: at for at, array in enumerate(program.arrays)}
        self.parts = dict(
            zip(program.sums, torch.empty((len(program.sums), self.count), dtype=torch.float64, device=self.device))
        )
        """What the kernels leave for totals: for each part a number of each tensor."""
        for key, part in self.parts.items():
            self._pointers[:, self.rows[key]] = part.data_ptr() + np.arange(self.count) * part.element_size()
        self._moved, self._replayed = True, False
        self._for_capture: list[Tensor] = []
        self._read_by_graphs: list[Tensor] = []

    def aim(self, array: str, column: Column) -> None:
        own = self._pointers[:, self.rows[array]]
        if not np.array_equal(own, column.pointers):
            own[:] = column.pointers
            self._moved = True

    def fill(self, rows: Sequence[Sequence[float]]) -> None:
        target = self.held["scalars"]
        if target.numel():
            whole = np.broadcast_to(np.asarray(rows, dtype=np.float64), target.shape)
            target.copy_(_staged(whole, self.device), non_blocking=True)

    def draw(self, keys: np.ndarray) -> None:
        self.held["keys"].copy_(_staged(keys, self.device), non_blocking=True)

    def know(self, given: Mapping[str, Tensor]) -> dict[str, Any]:
        kernel = self.kernel
        if kernel.shared is None:
            return {}
        host = dict(zip(kernel.row, self.held["scalars"].unbind(1)))
        values = kernel.shared(host, given)
        count = len(kernel.derived)
        if count:
            torch.stack([value.expand(self.count) for value in values[:count]], 1, out=self.held["derived"])
        return {key: value.reshape(-1)[0] for key, value in zip(kernel.program.shared, values[count:])}

    def allow(self, good: Tensor) -> None:
        if "good" in self.held:
            self.held["good"].copy_(good, non_blocking=True)

    def run(self, first: int, last: int) -> None:
        if capturing():
            self._point_in_graph()
        elif self._moved or self._replayed:
            self.held["table"].copy_(_staged(self._pointers, self.device), non_blocking=True)
            self._moved = False
        for sweep, function, instances, arguments in self._launches:
            if first <= sweep <= last:
                launch.start(function, instances, arguments)
        if not capturing() and len(self._for_capture) < len(self.kernel.program.sweeps):
            self._for_capture.append(_staged(self._pointers, self.device))

    def _point_in_graph(self) -> None:
        """Copy the table as a part of a CUDA graph, from memory of its own that every replay will read again."""
        if not self._for_capture:
            raise RuntimeError(NOT_WARM)
        staging = self._for_capture.pop()
        staging.numpy()[:] = self._pointers
        self.held["table"].copy_(staging, non_blocking=True)
        self._read_by_graphs.append(staging)
        # replays write the table, so that nothing is known of it from now on
        self._replayed = True
        if self not in _captured:
            _captured.append(self)

    def part(self, key: str) -> Tensor:
        return self.parts[key].sum()

    def reduced(self, sweep: int) -> list[Reduced]:
        program, nodes = self.kernel.program, self.kernel.program.graph.nodes
        return [Reduced(nodes[at].op, nodes[at].kind, self._left(at)) for at in program.sweeps[sweep].reductions]

    def settle(self, sweep: int, values: Sequence[Tensor]) -> None:
        nodes = self.kernel.program.graph.nodes
        for at, settled in zip(self.kernel.program.sweeps[sweep].reductions, values):
            if nodes[at].kind == TENSOR:
                partial = self._partial(at)
                partial.fill_(0.0 if nodes[at].op == "sum" else -torch.inf)
                partial[torch.from_numpy(self.chunks.first[:-1]).to(self.device)] = settled
            else:
                vectors = self._vectors(at)
                vectors[self._places(at)] = settled.to(vectors.dtype)

    def _left(self, at: int) -> Tensor:
        """What a reduction came to in all chunks together."""
        node = self.kernel.program.graph.nodes[at]
        if node.kind != TENSOR:
            return self._vectors(at)[self._places(at)]
        nothing = 0.0 if node.op == "sum" else -torch.inf
        owner = torch.from_numpy(self.chunks.chunk[:, 0]).to(self.device)
        mine = torch.full((self.count,), nothing, dtype=torch.float64, device=self.device)
        return mine.scatter_reduce_(0, owner, self._partial(at), "sum" if node.op == "sum" else "amax")

    def _own(self, at: int) -> tuple[int, int]:
        """Which reduction of its kind it is, and of how many."""
        nodes = self.kernel.program.graph.nodes
        own = [one for one in self.kernel.program.reductions if nodes[one].kind == nodes[at].kind]
        return own.index(at), len(own)

    def _partial(self, at: int) -> Tensor:
        return self.held["partial"][:, self._own(at)[0]]

    def _vectors(self, at: int) -> Tensor:
        return self.held["row_done" if self.kernel.program.graph.nodes[at].kind == ROW else "column_done"]

    def _places(self, at: int) -> Tensor:
        own, count = self._own(at)
        return self.chunks.places(self.kernel.program.graph.nodes[at].kind == ROW, count, own).to(self.device)


def _staged(values: np.ndarray, device: torch.device) -> Tensor:
    """``values`` in memory of the host that can be copied from without waiting."""
    staging = torch.empty(values.shape, dtype=_TYPES[values.dtype.name], device="cpu", pin_memory=device.type == "cuda")
    staging.numpy()[...] = values
    return staging
