"""A program in plain torch: phase by phase, tensor by tensor, on any device and in any layout.

Slow, and the plainest account of what a program means. Kernels are compared with it before a device is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.core.counter import salt_of
from gradwright.engine.access import as_real
from gradwright.engine.backend import Column, Reduced, Shape
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.operand import COUNTED, ELEMENT, ROW, TENSOR, Operand, Source
from gradwright.engine.ops import OPAQUE, OPERATIONS, REDUCTIONS
from gradwright.engine.program import Program, table_of


class PlainTorch:
    """The engine that needs nothing but torch."""

    name = "torch"
    in_flight = 2**21
    on_trial = False
    on_device = False
    skipping = None

    def check(self, device: torch.device) -> None:
        """It runs everywhere."""

    def serves(self, param: Tensor) -> bool:
        return param.layout == torch.strided

    def compile(self, program: Program) -> TorchKernel:
        return TorchKernel(program)


class TorchKernel:
    """A program that torch interprets."""

    def __init__(self, program: Program) -> None:
        for node in program.graph.nodes:
            if node.op not in OPERATIONS and node.op not in REDUCTIONS and node.op not in ("input", "const", OPAQUE):
                raise Untraceable(f"{node.op} of tensors")
        self.program, self.row = program, program.host

    def bind(self, params: Sequence[Tensor], whole: Sequence[Shape] | None = None) -> TorchBound:
        return TorchBound(self.program, params, whole)


class TorchBound:
    """A program with the tensors it runs over."""

    def __init__(self, program: Program, params: Sequence[Tensor], whole: Sequence[Shape] | None = None) -> None:
        self.program, self.nodes = program, program.graph.nodes
        real = [as_real(param.detach()) for param in params]
        self.counts = program.counts(real, whole)
        shapes = [tuple(one.shape) for one in real]
        self.shapes = [program.folding.seen(shape) if program.folding else shape for shape in shapes]
        self.device = params[0].device
        self.tensors: dict[str, Sequence[Tensor]] = {}
        self.rows: list[Sequence[float]] = []
        self.keys: list[int] = [0] * len(params)
        self.complete: list[dict[int, Tensor]] = [{} for _ in params]
        nothing = torch.zeros((), device="cpu")
        self.parts: dict[str, list[Tensor]] = {key: [nothing] * len(params) for key in program.sums}

    def aim(self, array: str, column: Column) -> None:
        self.tensors[array] = [as_real(tensor.detach()) for tensor in column.tensors]

    def fill(self, rows: Sequence[Sequence[float]]) -> None:
        self.rows = list(rows) * (len(self.shapes) if len(rows) == 1 else 1)

    def draw(self, keys: np.ndarray) -> None:
        self.keys = keys.tolist()

    def know(self, given: Mapping[str, Tensor]) -> dict[str, Any]:
        return {}

    def allow(self, good: Tensor) -> None:
        raise NotImplementedError  # plain torch runs such steps by the chain's own definition

    def run(self, first: int, last: int) -> None:
        for sweep in range(first, last + 1):
            for at in range(len(self.shapes)):
                self._sweep(sweep, at)

    def _sweep(self, sweep: int, at: int) -> None:
        """Compute everything, then write."""
        known: dict[int, Tensor] = {}
        for node in self.program.nodes(sweep):
            known[node] = self._value(node, at, known)
        for node in self.program.sweeps[sweep].reductions:
            self.complete[at][node] = self._reduction(node, self._known(self.nodes[node].args[0], at, known))
        for name, node in self.program.sweeps[sweep].stores.items():
            self._store(self.program.operand(name), at, self._known(node, at, known))

    def _known(self, node: int, at: int, known: dict[int, Tensor]) -> Tensor:
        """A value: computed before, or a scalar of the host."""
        if node in known:
            return known[node]
        value = (
            self.nodes[node].data if self.nodes[node].op == "const" else self.rows[at][self.program.host.index(node)]
        )
        kind = torch.bool if self.nodes[node].is_bool else self.program.computing
        return torch.full((), value, dtype=torch.float64, device=self.device).to(kind)

    def _value(self, node: int, at: int, known: dict[int, Tensor]) -> Tensor:
        op, args, data, _ = self.nodes[node]
        if node in self.complete[at] and node in self.program.reductions:
            return self.complete[at][node]
        if op in REDUCTIONS:
            return self._reduction(node, self._known(args[0], at, known))
        if op == "input" and data in COUNTED:
            count = int(self.counts[at, COUNTED.index(data)])
            return torch.full((), count, dtype=self.program.computing, device=self.device)
        if op in ("input", OPAQUE):
            value = self._load(table_of(self.nodes[node]) or data, at)
            return -value if data == "grad" and self.program.maximize else value
        if op == "const":
            return torch.full(self.shapes[at], data, dtype=self.program.computing, device=self.device)
        given = [self._known(arg, at, known) for arg in args]
        for place in {"where": (0,), "and": (0, 1), "or": (0, 1)}.get(op, ()):
            given[place] = given[place] != 0
        return OPERATIONS[op].torch(*given)

    def _reduction(self, node: int, value: Tensor) -> Tensor:
        """As the tensor is shaped, with what is summed over left as 1; single numbers have no dimension."""
        op, (arg,), _, kind = self.nodes[node]
        function, own = REDUCTIONS[op], self.nodes[arg].kind
        split, ndim = self.program.folding.split if self.program.folding else 0, value.dim()
        gone = tuple(range(ndim) if kind == TENSOR else range(split, ndim) if kind == ROW else range(split))
        if own == kind or not ndim:
            return value
        if op == "amax" and not value.numel():  # a rank that holds nothing has nothing to say
            value = value.new_full([1 if dim in gone else size for dim, size in enumerate(value.shape)], -torch.inf)
        return function(value) if kind == TENSOR else function(value, dim=gone, keepdim=True)

    def _load(self, name: str, at: int) -> Tensor:
        # a copy, since what one value overwrites another may still be about to hand on
        operand = self.program.operand(name)
        value, kind = self._decoded(operand, at).to(self.program.computing, copy=True), operand.kind
        return value.reshape(() if kind == TENSOR else self.shapes[at]) if kind in (TENSOR, ELEMENT) else value

    def _decoded(self, operand: Operand, at: int) -> Tensor:
        return operand.storage.decode(*(self.tensors[array][at] for array in operand.arrays))

    def _store(self, operand: Operand, at: int, value: Tensor) -> None:
        if operand.source is Source.SUM:
            self.parts[operand.name][at] = value.to(torch.float64)
            return
        if operand.source is Source.PARAM:
            value = self._decoded(operand, at).to(self.program.computing).reshape(self.shapes[at]) - value
        if operand.kind == ELEMENT:  # groups and places are those of the tensor as it lies
            value = value.expand(self.shapes[at]).reshape(self.tensors[operand.name][at].shape)
        arrays = operand.storage.encode(value, self.keys[at] ^ salt_of(operand.name))
        for name, stored in zip(operand.arrays, arrays):
            target = self.tensors[name][at]
            same = stored.numel() == target.numel()
            target.copy_(stored.reshape(target.shape) if same else stored.expand(target.shape))

    def part(self, key: str) -> Tensor:
        return torch.stack(self.parts[key]).sum()

    def reduced(self, sweep: int) -> list[Reduced]:
        found = []
        for node in self.program.sweeps[sweep].reductions:
            mine = [complete[node].reshape(-1) for complete in self.complete]
            found.append(Reduced(self.nodes[node].op, self.nodes[node].kind, torch.cat(mine)))
        return found

    def settle(self, sweep: int, values: Sequence[Tensor]) -> None:
        for node, settled in zip(self.program.sweeps[sweep].reductions, values):
            mine = [complete[node] for complete in self.complete]
            for complete, old, new in zip(self.complete, mine, settled.split([one.numel() for one in mine])):
                complete[node] = new.reshape(old.shape).to(old.dtype)
