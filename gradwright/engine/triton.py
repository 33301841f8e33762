"""Print a plan as Triton: one kernel for each sweep, over chunks of all tensors together.

A kernel finds its tensors through a table of pointers in device memory, so it is launched once, however many there are.
A program takes one chunk. Whole blocks of aligned tensors are read and written 128 bits at a time, the rest under a
mask. A reduction leaves one partial result a program, and whoever needs the whole adds the partials up in the order of
chunks: without atomics the answer is the same bit for bit every time.

Where a tensor is seen as a matrix, a chunk is a tile of it. Sums over rows and columns are folded by a small kernel
behind the sweep, and state by row or column is written by one behind the last sweep, when everybody has read the old.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from gradwright.engine.cpp import Layout
from gradwright.engine.graph import COLUMN, ELEMENT, HOST, OPAQUE, REDUCTIONS, ROW, SHARED, TENSOR
from gradwright.engine.plan import Plan, live, table_of
from gradwright.engine.shared import host_arguments
from gradwright.engine.symbol import Untraceable

BLOCK = 1024
"""Entries that a program reads at a time."""
CHUNK = 16 * BLOCK
"""Entries in a chunk of a tensor that is not seen as a matrix."""
HEIGHT, WIDTH = 8, 256
"""Rows and columns that a program reads at a time where rows and columns matter; a chunk is as wide."""
ROWS = 64
"""Rows in a chunk of a matrix, or more of them where the matrix is so tall that it would have many chunks."""
FOLD = 64
"""Rows or columns that a program takes where what is smaller than the tensor is folded or stored."""

STORED = {torch.float32: "tl.float32", torch.float64: "tl.float64", torch.bfloat16: "tl.bfloat16"}
STORED[torch.float16] = "tl.float16"

ARGUMENTS = {
    "chunk": "i64",  # for each chunk: its tensor, begin and end; of a matrix: tensor, rows from and to, column, part
    "first": "i64",  # the first chunk of each tensor, and the end of the last behind
    "table": "i64",  # for each tensor: pointers to tables, vectors and singles, then its number of entries
    "scalars": "fp64",  # host values: tensors x values
    "derived": "fp64",  # shared values: tensors x values
    "single": "fp64",  # state of one number as it was before the step: tensors x singles
    "partial": "fp64",  # reductions to one number: chunks x reductions
    "dims": "i64",  # for each matrix: rows, columns, where they begin among all and among partials, parts
    "strip": "i64",  # for each strip of a vector: its tensor, 0 for rows or 1 for columns, begin and end
    "row_partial": "C",  # reductions to rows: for each tensor, reduction and part a vector
    "column_partial": "C",
    "row_done": "C",  # what they come to: for each tensor and reduction a vector
    "column_done": "C",
    "number": "fp64",  # reductions of vectors to one number: tensors x reductions
}
"""The arguments a kernel may take, in order, with what they point to."""

PRELUDE = '''\
"""A step of an optimizer, printed by gradwright."""

import triton
import triton.language as tl

SPAN = tl.constexpr(128)


@triton.jit
def larger(x, y):
    return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def smaller(x, y):
    return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def largest(x, AXIS: tl.constexpr):
    bad = tl.max((x != x).to(tl.int32), AXIS)
    top = tl.max(tl.where(x != x, float("-inf"), x), AXIS)
    return tl.where(bad > 0, float("nan"), top)


@triton.jit
def sign(x):
    return tl.where(x != x, x, (x > 0).to(x.dtype) - (x < 0).to(x.dtype))


@triton.jit
def summed_parts(at, first, last, STRIDE: tl.constexpr):
    d = tl.zeros([SPAN], tl.float64)
    for k in range(first, last, SPAN):
        j = k + tl.arange(0, SPAN)
        d = d + tl.load(at + j * STRIDE, mask=j < last, other=0.0)
    return tl.sum(d, 0)


@triton.jit
def largest_part(at, first, last, STRIDE: tl.constexpr):
    d = tl.full([SPAN], float("-inf"), tl.float64)
    for k in range(first, last, SPAN):
        j = k + tl.arange(0, SPAN)
        d = larger(d, tl.load(at + j * STRIDE, mask=j < last, other=float("-inf")))
    return largest(d, 0)


@triton.jit
def summed_rows(at, length, count, i, inside):
    d = tl.zeros([16, i.shape[0]], tl.float64)
    for q in range(0, count, 16):
        k = q + tl.arange(0, 16)
        m = (k < count)[:, None] & inside[None, :]
        d = d + tl.load(at + k[:, None] * length + i[None, :], mask=m, other=0.0).to(tl.float64)
    return tl.sum(d, 0)


@triton.jit
def largest_row(at, length, count, i, inside):
    d = tl.full([16, i.shape[0]], float("-inf"), tl.float64)
    for q in range(0, count, 16):
        k = q + tl.arange(0, 16)
        m = (k < count)[:, None] & inside[None, :]
        d = larger(d, tl.load(at + k[:, None] * length + i[None, :], mask=m, other=float("-inf")).to(tl.float64))
    return largest(d, 0)


@triton.jit
def bfloat16(x):
    return x.to(tl.bfloat16)
'''

BY_INTEGERS = """\
    # rounds to nearest even, which the interpreter's own conversion does not
    b = x.to(tl.float32).to(tl.uint32, bitcast=True)
    b = tl.where(x != x, 0x7FC00000, b + 0x7FFF + ((b >> 16) & 1))
    return (b >> 16).to(tl.uint16).to(tl.bfloat16, bitcast=True)
"""

OPERATIONS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "neg": "-{0}",
    "abs": "tl.abs({0})",
    "sign": "sign({0})",
    "maximum": "larger({0}, {1})",
    "minimum": "smaller({0}, {1})",
    "where": "tl.where({0}, {1}, {2})",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "not": "{0} == False",
    "isnan": "{0} != {0}",
    "isfinite": "tl.abs({0}) <= {largest}",
}
SINGLE = OPERATIONS | {"div": "tl.div_rn({0}, {1})", "sqrt": "tl.sqrt_rn({0})"}
DOUBLE = OPERATIONS | {"div": "{0} / {1}", "sqrt": "tl.sqrt({0})"}
"""Plain division and root of single precision are approximations in Triton; those of double precision are not."""


@dataclass(frozen=True)
class Launch:
    """One kernel of a printed plan: a program for each ``chunk``, ``strip`` or ``tensor`` of the bucket."""

    name: str
    grid: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Printed:
    """A plan as Triton.

    Attributes:
        source: a Python module.
        launches: its kernels, in the order in which they run.
        row: the host nodes of a row of ``scalars``, those that only the shared program reads last.
        derived: the shared nodes of a row of ``derived``.
    """

    source: str
    launches: tuple[Launch, ...]
    row: tuple[int, ...]
    derived: tuple[int, ...]


def print_triton(plan: Plan, layout: Layout, interpreted: bool = False) -> Printed:
    """The kernels of ``plan``.

    Args:
        interpreted: print for Triton's interpreter, which rounds bfloat16 otherwise than a GPU.

    Raises:
        Untraceable: it has an operation or a type that is not printed yet.
    """
    return _Printer(plan, layout).printed(interpreted)


class _Printer:
    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout, self.nodes = plan, layout, plan.graph.nodes
        for dtype in (*layout.stored, *layout.vectors, *layout.singles):
            if dtype not in STORED:
                raise Untraceable(f"the storage type {dtype}")
        self.real = STORED[layout.computing]
        self.operations = DOUBLE if layout.computing == torch.float64 else SINGLE
        self.matrix = plan.split is not None
        stored = zip([*plan.tables, *plan.vectors, *plan.singles], [*layout.stored, *layout.vectors, *layout.singles])
        self.types = {name: STORED[dtype] for name, dtype in stored}
        self.columns = {name: k for k, name in enumerate(self.types)}
        shared = [at for at in plan.host if self.nodes[at].kind == SHARED]
        asked = host_arguments(plan.graph, [*shared, *plan.shared.values()])
        own = [at for at in plan.host if self.nodes[at].kind == HOST]
        self.row = tuple(dict.fromkeys([*own, *asked]))
        self.derived = tuple(shared)
        self.whole, self.rows, self.cols = (
            [at for at in plan.reductions if self.nodes[at].kind == kind] for kind in (TENSOR, ROW, COLUMN)
        )
        self.levels: dict[int, int] = {}
        every = live(plan.graph, [*plan.stores.values(), *plan.reductions])
        self.folds = [at for at in every if self.nodes[at].op in REDUCTIONS and at not in plan.reductions]
        self.done = {*plan.reductions, *self.folds}

    def printed(self, interpreted: bool) -> Printed:
        plan, kernels = self.plan, []
        if plan.singles:
            kernels.append(("before", "tensor", self._before()))
        for sweep in range(plan.last + 1):
            if now := [at for at in self.folds if self._level(at) == sweep]:
                kernels.append((f"numbers{sweep}", "tensor", self._numbers(now)))
            kernels.append((f"sweep{sweep}", "chunk", self._sweep(sweep)))
            if sweep < plan.last and (now := [at for at in plan.sweeps[sweep] if self.nodes[at].kind != TENSOR]):
                kernels.append((f"fold{sweep}", "strip", self._fold(now)))
        if any(key in plan.stores for key in plan.vectors):
            kernels.append(("publish", "strip", self._publish()))
        source = PRELUDE.replace("    return x.to(tl.bfloat16)\n", BY_INTEGERS) if interpreted else PRELUDE
        launches = []
        for name, grid, body in kernels:
            text = "".join(f"    {line}\n" for line in body)
            arguments = tuple(argument for argument in ARGUMENTS if re.search(rf"\b{argument}\b", text))
            launches.append(Launch(name, grid, arguments))
            source += f"\n\n@triton.jit\ndef {name}({', '.join(arguments)}):\n{text}"
        return Printed(source, tuple(launches), self.row, self.derived)

    def _level(self, at: int) -> int:
        """The first sweep before which a node can be known."""
        if at not in self.levels:
            node = self.nodes[at]
            before = max((self._level(arg) for arg in node.args), default=0) if node.op != OPAQUE else 0
            self.levels[at] = before + (at in self.plan.reductions)
        return self.levels[at]

    def _before(self) -> list[str]:
        """Keep the state of one number: the last sweep writes it while others still read it."""
        lines = ["t = tl.program_id(0).to(tl.int64)"]
        for k, name in enumerate(self.plan.singles):
            lines += self._pointer(name)
            lines.append(f"tl.store(single + t * {len(self.plan.singles)} + {k}, tl.load(p_{_c(name)}).to(tl.float64))")
        return lines

    def _sweep(self, sweep: int) -> list[str]:
        """One pass over a chunk: the reductions it completes, or, in the last one, the stores."""
        plan = self.plan
        final = sweep == plan.last
        reductions = [] if final else list(plan.sweeps[sweep])
        written = plan.writes if final else []
        targets = [self.nodes[at].args[0] for at in reductions]
        targets += [at for name, at in plan.stores.items() if final and name not in plan.vectors]
        needed = self._needed(targets)
        numbers, columns, rows, entries = (
            [at for at in needed if self.nodes[at].kind == kind] for kind in (TENSOR, COLUMN, ROW, ELEMENT)
        )
        read = [table for at in entries if (table := table_of(self.nodes[at])) is not None]
        tables = list(dict.fromkeys([*read, *(["param"] if "param" in written else []), *written]))
        lines = ["c = tl.program_id(0).to(tl.int64)"]
        lines += self._enter_tile() if self.matrix else self._enter_chunk()
        lines += self._scalars(needed, targets)
        lines += [line for at in numbers for line in self._define(at)]
        if self.matrix:
            lines += [line for name in plan.vectors for line in self._pointer(name)] if columns or rows else []
            lines += [line for at in columns for line in self._define(at, "j", "inside")]
        lines += [f"a_{_c(name)} = tl.load(table + t * {self._width} + {self.columns[name]})" for name in tables]
        shape = f"[{HEIGHT}, {WIDTH}]" if self.matrix else f"[{BLOCK}]"
        for at in reductions:
            if self.nodes[at].kind != ROW:
                start = f"tl.zeros({shape}, " if self._sums(at) else f'tl.full({shape}, float("-inf"), '
                lines.append(f"s{at} = {start}{self.real})")
        addresses = " | ".join(f"a_{_c(name)}" for name in tables) or "0"
        aligned = f"(({addresses}) & 15) == 0"
        if self.matrix:
            lines.append(f"whole = ({aligned}) & (columns % 16 == 0) & (left + {WIDTH} <= columns)")
            lines.append(f"turn = tl.where(whole, bottom - (bottom - top) % {HEIGHT}, top)")
        else:
            lines.append(f"turn = tl.where({aligned}, end - (end - begin) % {BLOCK}, begin)")
        for masked in (False, True):
            for name in tables:
                pointer = f"a_{_c(name)}.to(tl.pointer_type({self.types[name]}))"
                lines.append(f"p_{_c(name)} = {pointer if masked else f'tl.multiple_of({pointer}, 16)'}")
            lines += self._loop(masked)
            inner = [line for at in rows for line in self._define(at, "y", "y < bottom")]
            inner += [line for at in entries for line in self._define(at, "", "m" if masked else "")]
            inner += [self._gather(at, masked) for at in reductions]
            inner += [self._store(name, masked) for name in written]
            lines += [f"    {line}" for line in inner]
        lines += [self._hand_on(at) for at in reductions if self.nodes[at].kind != ROW]
        for name in plan.singles if final else ():
            if name in plan.stores:
                value = self._rounded(name, self._name(plan.stores[name], TENSOR))
                lines += [*self._pointer(name), f"tl.store(p_{_c(name)}, {value}, mask=c == tl.load(first + t))"]
        return lines

    def _enter_chunk(self) -> list[str]:
        return [
            "t = tl.load(chunk + c * 3)",
            f"begin = tl.multiple_of(tl.load(chunk + c * 3 + 1), {BLOCK})",
            "end = tl.load(chunk + c * 3 + 2)",
        ]

    def _enter_tile(self) -> list[str]:
        return [
            "t = tl.load(chunk + c * 5)",
            "top = tl.load(chunk + c * 5 + 1)",
            "bottom = tl.load(chunk + c * 5 + 2)",
            f"left = tl.multiple_of(tl.load(chunk + c * 5 + 3), {WIDTH})",
            "part = tl.load(chunk + c * 5 + 4)",
            *self._dims(),
            f"j = left + tl.arange(0, {WIDTH})",
            "inside = j < columns",
        ]

    def _dims(self) -> list[str]:
        names = ("rows", "columns", "row_at", "column_at", "row_from", "column_from", "row_parts", "column_parts")
        return [f"{name} = tl.load(dims + t * {len(names)} + {k})" for k, name in enumerate(names)]

    def _loop(self, masked: bool) -> list[str]:
        """The head of a loop over the blocks of a chunk; ``p + b + i`` are the entries of one."""
        if not self.matrix:
            head = [
                f"i = tl.arange(0, {BLOCK})",
                f"for b in range({'turn, end' if masked else 'begin, turn'}, {BLOCK}):",
            ]
            return [*head, "    m = b + i < end"] if masked else head
        lines = [
            # the same number, but one that the compiler can see to be a multiple
            f"stride = {'columns' if masked else 'columns // 16 * 16'}",
            f"i = tl.arange(0, {HEIGHT})[:, None] * stride + tl.arange(0, {WIDTH})[None, :]",
            f"for r in range({'turn, bottom' if masked else 'top, turn'}, {HEIGHT}):",
            "    b = r * stride + left",
            f"    y = r + tl.arange(0, {HEIGHT})",
        ]
        return [*lines, "    m = (y < bottom)[:, None] & inside[None, :]"] if masked else lines

    def _gather(self, at: int, masked: bool) -> str:
        """Take a block into a reduction."""
        value = self._name(self.nodes[at].args[0], ELEMENT)
        if masked:
            value = f"tl.where(m, {value}, {'0.0' if self._sums(at) else self._lowest})"
        if self.nodes[at].kind == ROW:
            total = f"tl.sum({value}, 1)" if self._sums(at) else f"largest({value}, 1)"
            part = f"({self.rows.index(at)} * row_parts + left // {WIDTH}) * rows"
            return (
                f"tl.store(row_partial + {len(self.rows)} * row_from + {part} + y, {total}.to({self.real}), "
                "mask=y < bottom)"
            )
        return f"s{at} = s{at} + {value}" if self._sums(at) else f"s{at} = larger(s{at}, {value})"

    def _hand_on(self, at: int) -> str:
        """Leave what a chunk's reduction came to, to whoever needs the whole."""
        wide = f"s{at}.to(tl.float64)"
        if self.nodes[at].kind == TENSOR:
            value = f"tl.sum({wide})" if self._sums(at) else f"largest({wide}, None)"
            return f"tl.store(partial + c * {len(self.whole)} + {self.whole.index(at)}, {value})"
        value = f"tl.sum({wide}, 0)" if self._sums(at) else f"largest({wide}, 0)"
        part = f"({self.cols.index(at)} * column_parts + part) * columns"
        return (
            f"tl.store(column_partial + {len(self.cols)} * column_from + {part} + j, {value}.to({self.real}), "
            "mask=inside)"
        )

    def _fold(self, reductions: list[int]) -> list[str]:
        """What the partial sums of rows and columns come to."""
        lines = [*self._enter_strip(), "if by_row:"]
        for kind, name, own in ((ROW, "row", self.rows), (COLUMN, "column", self.cols)):
            body = []
            for at in reductions:
                if self.nodes[at].kind == kind:
                    k, call = own.index(at), "summed_rows" if self._sums(at) else "largest_row"
                    begins = f"{name}_partial + {len(own)} * {name}_from + {k} * {name}_parts * {name}s"
                    body.append(f"x = {call}({begins}, {name}s, {name}_parts, i, inside)")
                    out = f"{name}_done + {len(own)} * {name}_at + {k} * {name}s"
                    body.append(f"tl.store({out} + i, x.to({self.real}), mask=inside)")
            lines += [f"    {line}" for line in body or ["pass"]]
            lines += ["else:"] if kind == ROW else []
        return lines

    def _enter_strip(self) -> list[str]:
        return [
            "c = tl.program_id(0).to(tl.int64)",
            "t = tl.load(strip + c * 4)",
            "by_row = tl.load(strip + c * 4 + 1) == 0",
            f"i = tl.load(strip + c * 4 + 2) + tl.arange(0, {FOLD})",
            "inside = i < tl.load(strip + c * 4 + 3)",
            *self._dims(),
        ]

    def _numbers(self, folds: list[int]) -> list[str]:
        """Reductions of vectors to one number of each tensor, one after another."""
        lines = ["t = tl.program_id(0).to(tl.int64)", *self._dims()]
        lines += [line for name in self.plan.vectors for line in self._pointer(name)]
        needed = self._needed(self.nodes[at].args[0] for at in folds)
        lines += self._scalars(needed, [])
        lines += [
            line for at in needed if self.nodes[at].kind == TENSOR and at not in folds for line in self._define(at)
        ]
        for at in folds:
            argument = self.nodes[at].args[0]
            length = "rows" if self.nodes[argument].kind == ROW else "columns"
            lines.append(f"s{at} = tl.full([{BLOCK}], {'0.0' if self._sums(at) else self._lowest}, tl.float64)")
            lines.append(f"for b in range(0, {length}, {BLOCK}):")
            body = [f"i = b + tl.arange(0, {BLOCK})", f"inside = i < {length}"]
            for vector in self._needed([argument]):
                if self.nodes[vector].kind == self.nodes[argument].kind:
                    body += self._define(vector, "i", "inside")
            value = f"tl.where(inside, v{argument}, {'0.0' if self._sums(at) else self._lowest}).to(tl.float64)"
            body.append(f"s{at} = s{at} + {value}" if self._sums(at) else f"s{at} = larger(s{at}, {value})")
            lines += [f"    {line}" for line in body]
            total = f"tl.sum(s{at})" if self._sums(at) else f"largest(s{at}, 0)"
            lines.append(f"v{at} = {total}.to({self.real})")
            lines.append(f"tl.store(number + t * {len(self.folds)} + {self.folds.index(at)}, v{at}.to(tl.float64))")
        return lines

    def _publish(self) -> list[str]:
        """The new state by row and column."""
        lines = self._enter_strip()
        stores = {key: self.plan.stores[key] for key in self.plan.vectors if key in self.plan.stores}
        needed = self._needed(stores.values())
        lines += self._scalars(needed, stores.values())
        lines += [line for name in self.plan.vectors for line in self._pointer(name)]
        lines += [line for at in needed if self.nodes[at].kind == TENSOR for line in self._define(at)]
        for kind, branch in ((ROW, "if by_row:"), (COLUMN, "else:")):
            own = {key: at for key, at in stores.items() if self.plan.vectors[key] == kind}
            body = []
            for at in self._needed(own.values()):
                if self.nodes[at].kind == kind:
                    body += self._define(at, "i", "inside")
            for key, at in own.items():
                value = self._rounded(key, self._name(at, kind))
                body.append(f"tl.store(p_{_c(key)} + i, {value}, mask=inside)")
            lines += [branch, *(f"    {line}" for line in body or ["pass"])]
        return lines

    def _needed(self, targets: Iterable[int]) -> list[int]:
        """What is computed on the way to ``targets``, back to inputs, host values and reductions."""
        return [at for at in live(self.plan.graph, targets, self.done) if self.nodes[at].kind >= TENSOR]

    def _scalars(self, needed: Iterable[int], targets: Iterable[int]) -> list[str]:
        """Load the host and shared values that some nodes take."""
        taken = {arg for at in needed if at not in self.done for arg in self.nodes[at].args} | set(targets)
        lines = []
        for buffer, own in (("scalars", self.row), ("derived", self.derived)):
            for k, at in enumerate(own):
                if at in taken:
                    lines.append(f"h{at} = tl.load({buffer} + t * {len(own)} + {k}).to({self.real})")
        return lines

    def _pointer(self, name: str) -> list[str]:
        address = f"tl.load(table + t * {self._width} + {self.columns[name]})"
        return [f"p_{_c(name)} = {address}.to(tl.pointer_type({self.types[name]}))"]

    def _define(self, at: int, index: str = "", mask: str = "") -> list[str]:
        """Give a node its name: entries at ``b + i``, rows or columns at ``index``, both under ``mask``."""
        return [f"v{at} = {self._value(at, index, mask)}"]

    def _value(self, at: int, index: str, mask: str) -> str:
        node = self.nodes[at]
        guard = f", mask={mask}, other=0.0" if mask else ""
        if at in self.whole:
            call = "summed_parts" if self._sums(at) else "largest_part"
            span = "tl.load(first + t), tl.load(first + t + 1)"
            return f"{call}(partial + {self.whole.index(at)}, {span}, {len(self.whole)}).to({self.real})"
        if at in self.folds:
            return f"tl.load(number + t * {len(self.folds)} + {self.folds.index(at)}).to({self.real})"
        if at in self.done:
            name, own = ("row", self.rows) if node.kind == ROW else ("column", self.cols)
            begins = f"{name}_done + {len(own)} * {name}_at + {own.index(at)} * {name}s"
            return f"tl.load({begins} + {index}{guard})"
        if node.op in ("input", OPAQUE):
            return self._input(at, index, guard)
        if node.op not in self.operations:
            raise Untraceable(f"{node.op} of tensors")
        largest = torch.finfo(self.layout.computing).max
        args = [self._name(arg, node.kind) for arg in node.args]
        if node.op == "where" and not self.nodes[node.args[0]].is_bool:
            args[0] = f"({args[0]} != 0)"
        return self.operations[node.op].format(*args, largest=self._constant(largest))

    def _input(self, at: int, index: str, guard: str) -> str:
        node = self.nodes[at]
        if node.kind == ELEMENT:
            name = str(table_of(node))
            load = f"tl.load(p_{_c(name)} + b + i{guard}).to({self.real})"
            return f"-{load}" if name == "grad" and self.layout.maximize else load
        if node.kind in (ROW, COLUMN):
            return f"tl.load(p_{_c(node.data)} + {index}{guard}).to({self.real})"
        if node.data == "numel":
            return f"tl.load(table + t * {self._width} + {self._width - 1}).to({self.real})"
        if node.data in ("rows", "columns"):
            return f"{node.data}.to({self.real})"
        if node.data in self.plan.singles:
            k = self.plan.singles.index(node.data)
            return f"tl.load(single + t * {len(self.plan.singles)} + {k}).to({self.real})"
        raise Untraceable(f"the number {node.data!r}")

    def _store(self, name: str, masked: bool) -> str:
        value = self._name(self.plan.stores[name], ELEMENT)
        if name == "param":
            guard = ", mask=m, other=0.0" if masked else ""
            value = f"tl.load(p_param + b + i{guard}).to({self.real}) - {value}"
        return f"tl.store(p_{_c(name)} + b + i, {self._rounded(name, value)}{', mask=m' if masked else ''})"

    def _rounded(self, name: str, value: str) -> str:
        kind = self.types[name]
        return f"bfloat16({value})" if kind == "tl.bfloat16" else f"({value}).to({kind})"

    def _name(self, at: int, kind: int) -> str:
        """What a node is called in an expression of some kind."""
        node = self.nodes[at]
        if node.op == "const":
            return self._constant(node.data)
        if node.kind <= SHARED:
            return f"(h{at} != 0)" if node.is_bool else f"h{at}"
        if kind == ELEMENT and node.kind in (ROW, COLUMN):
            return f"v{at}[:, None]" if node.kind == ROW else f"v{at}[None, :]"
        return f"v{at}"

    def _constant(self, value: float) -> str:
        text = repr(value) if value == value and abs(value) != float("inf") else f'float("{value}")'
        return f"tl.full((), {text}, {self.real})"

    @property
    def _width(self) -> int:
        """Columns of the table of pointers."""
        return len(self.types) + 1

    @property
    def _lowest(self) -> str:
        return 'float("-inf")'

    def _sums(self, at: int) -> bool:
        return self.nodes[at].op == "sum"


def _c(name: str) -> str:
    return re.sub(r"\W", "_", name)
