"""Trial: before a device is trusted with a program, its kernels step small tensors beside plain torch.

No printer is beyond doubt on a device that it has not met, and a kernel may fail to compile or to launch there. What
does not agree is left to plain torch.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.core.blockwise import Blockwise
from gradwright.core.half_weights import Split24, Split32
from gradwright.core.storage import Storage
from gradwright.engine.backend import Kernel
from gradwright.engine.launch import Tensors
from gradwright.engine.operand import COLUMN, ELEMENT, ROW, SHARED, Operand, Source
from gradwright.engine.plain.backend import TorchKernel
from gradwright.engine.program import Program

FLAT = ((1061,), (37,), (2, 1))
FOLDED = ((24, 512), (19, 37), (3, 1))
"""Rows and columns of the tensors of a trial: some that kernels read in whole blocks, some under a mask."""

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 4e-3}
"""How far kernels may be from plain torch, relative to the largest entry."""
CODE = 2e-2
"""How far a code is from the next, relative to the largest entry of its group."""
SHARE = 0.02
"""How many entries may be rounded to another code or by chance to another number: of numbers that differ by 1e-6 as
much as those of kernels and of plain torch do, 1 in 1000 is; with other random bits every third."""


def differs(program: Program, kernel: Kernel, device: torch.device) -> str:
    """What is wrong with a kernel on a device; nothing if it is an empty string."""
    try:
        return _Trial(program, kernel, device).difference()
    except Exception as why:  # whatever a compiler or a driver raises
        return f"{type(why).__name__}: {str(why).strip().splitlines()[0] if str(why).strip() else 'no reason given'}"


class _Trial:
    """The same random tensors, once for the kernel and once for plain torch."""

    def __init__(self, program: Program, kernel: Kernel, device: torch.device) -> None:
        self.program, self.kernel, self.device = program, kernel, device
        self.random, self.numbers = torch.Generator().manual_seed(1), random.Random(1)
        folded = program.folding is not None
        self.shapes = [self._shape(sizes) for sizes in (FOLDED if folded else FLAT)]

    def _shape(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Rows before the split, columns behind it."""
        if self.program.folding is None:
            return sizes
        leading, blocks = self.program.folding
        if blocks > 1:
            return (*[sizes[0]] * bool(leading), *[1] * (leading - 1), 3 * blocks, sizes[1])
        return (sizes[0], *[1] * (leading - 1), sizes[1])

    def _arrays(self, operand: Operand, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
        """Weights and gradients of both signs; state as if it were of squares, which suits every kind."""
        folding = self.program.folding
        seen, split = (shape, 0) if folding is None else (folding.seen(shape), folding.split)
        size = {
            ELEMENT: shape,
            ROW: (*seen[:split], *[1] * (len(seen) - split)),
            COLUMN: (*[1] * split, *seen[split:]),
        }.get(operand.kind, ())
        values = torch.randn(size, generator=self.random, dtype=torch.float64, device="cpu")
        if operand.source is Source.STATE:
            values = values.abs() + 0.1
        values = values.to(self.program.computing)
        return tuple(stored.to(self.device) for stored in operand.storage.encode(values))

    def difference(self) -> str:
        program = self.program
        arrays: dict[str, list[Tensor]] = {}
        for one in program.operands:
            if one.source is not Source.SUM:
                held = [self._arrays(one, shape) for shape in self.shapes]
                arrays |= {name: list(tensors) for name, tensors in zip(one.arrays, zip(*held))}
        copies = {name: [tensor.clone() for tensor in tensors] for name, tensors in arrays.items()}
        mine = self.kernel.bind(arrays["param"])
        its = TorchKernel(program).bind(copies["param"])
        for name in arrays:
            mine.aim(name, Tensors(arrays[name]))
            its.aim(name, Tensors(copies[name]))
        scalars = {at: self._scalar(at) for at in {*self.kernel.row, *program.host}}
        mine.fill([[scalars[at] for at in self.kernel.row]])
        given = {name: torch.full((), 0.5, dtype=torch.float64, device=self.device) for name in self._given()}
        mine.know(given)
        derived = getattr(mine, "held", {}).get("derived")
        if derived is not None and derived.numel():
            shared = [at for at in program.host if program.graph.nodes[at].kind == SHARED]
            scalars |= dict(zip(shared, derived[0].tolist()))
        its.fill([[scalars[at] for at in program.host]])
        if program.random:
            keys = np.array([self.numbers.getrandbits(32) for _ in self.shapes], np.int64)
            for bound in (mine, its):
                bound.draw(keys)
        for segment in program.segments:
            for bound in (mine, its):
                bound.run(segment.first, segment.last)
        for key in program.sums:
            if far := _far(key, [mine.part(key)], [its.part(key)], TOLERANCE[program.computing]):
                return far
        for one in program.operands:
            stored = one.name in program.stores and one.source is not Source.SUM
            if stored and (far := _apart(one, arrays, copies)):
                return far
        return ""

    def _scalar(self, at: int) -> float:
        if self.program.graph.nodes[at].is_bool:
            return 1.0
        return 0.2 + 0.6 * self.numbers.random()

    def _given(self) -> set[str]:
        nodes = self.program.graph.nodes
        return {node.data for node in nodes if node.op == "input" and node.kind == SHARED}


def _apart(operand: Operand, mine: dict[str, list[Tensor]], its: dict[str, list[Tensor]]) -> str:
    """What is wrong with what a kernel stored in the arrays of an operand."""
    storage = operand.storage
    found, expected = (list(map(storage.decode, *(side[a] for a in operand.arrays))) for side in (mine, its))
    if (far := _far(operand.name, found, expected, _tolerance(storage))) or not storage.random:
        return far
    others = sum(int((one != other).sum()) for one, other in zip(mine[operand.name], its[operand.name]))
    count = sum(map(Tensor.numel, its[operand.name]))
    if others > 2 + SHARE * count:
        return f"{operand.name!r} is rounded otherwise than plain torch does in {others} of {count} entries"
    return ""


def _tolerance(storage: Storage) -> float:
    if isinstance(storage, Blockwise):
        return CODE
    (first, *_) = storage.buffers(())
    return TOLERANCE.get(torch.float32 if isinstance(storage, (Split24, Split32)) else first.dtype, 1e-4)


def _far(name: str, mine: Sequence[Any], its: Sequence[Any], tolerance: float) -> str:
    for one, other in zip(mine, its):
        one, other = one.double().cpu(), other.double().cpu()
        finite = other.isfinite()
        if not torch.equal(finite, one.isfinite()):
            return f"{name!r} is not finite in other places than plain torch says"
        scale = float(other[finite].abs().max()) if finite.any() else 0.0
        gap = float((one - other)[finite].abs().max()) if finite.any() else 0.0
        if gap > tolerance * max(scale, 1e-30):
            return f"{name!r} is {gap:.2g} from what plain torch says, of at most {scale:.2g}"
    return ""
