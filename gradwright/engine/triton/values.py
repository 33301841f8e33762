"""How a value of a program is written in Triton: its name, where it is loaded from, what computes it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from gradwright.engine.graph.shared import host_arguments
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.operand import COLUMN, ELEMENT, HOST, ROW, SHARED, TENSOR, Source, plain
from gradwright.engine.ops import OPAQUE, OPERATIONS, REDUCTIONS
from gradwright.engine.program import Program, reached, table_of
from gradwright.engine.triton.storage import TYPES, access, guard

ARGUMENTS = {
    "chunk": "i64",  # for each chunk: its tensor, begin and end; of a matrix: tensor, rows from and to, column, part
    "first": "i64",  # the first chunk of each tensor, and the end of the last behind
    "table": "i64",  # for each tensor: pointers to tables, vectors and singles, then its number of entries
    "keys": "i64",  # the key of each tensor's random bits at this step
    "lines": "i64",  # for each tensor: entries in a line of groups, and how many there would be if its last were full
    "scalars": "fp64",  # host values: tensors x values
    "derived": "fp64",  # shared values: tensors x values
    "single": "fp64",  # state of one number as it was before the step: tensors x singles
    "partial": "fp64",  # reductions to one number: chunks x reductions
    "dims": "i64",  # for each matrix: size, where rows and columns begin among all and among partials, parts, all
    "strip": "i64",  # for each strip of a vector: its tensor, 0 for rows or 1 for columns, begin and end
    "row_partial": "C",  # reductions to rows: for each tensor, reduction and part a vector
    "column_partial": "C",
    "row_done": "C",  # what they come to: for each tensor and reduction a vector
    "column_done": "C",
    "number": "fp64",  # reductions of vectors to one number: tensors x reductions
    "good": "i32",  # one number: 0 where the step is not taken
}
"""The arguments a kernel may take, in order, with what they point to."""


class Values:
    """The values of a program, as its kernels name them: ``v7`` for node 7, ``h7`` where it comes from the host.

    Attributes:
        row: the host nodes of a row of ``scalars``, those that only the shared program reads last.
        derived: the shared nodes of a row of ``derived``.
        to_number, to_rows, to_columns: the reductions that sweeps complete, by what they reduce to.
        folds: the reductions of vectors to one number.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.nodes = program, program.graph.nodes
        self.access = {one.name: access(one.storage) for one in program.operands}
        self.singles = [one.name for one in program.of(TENSOR) if one.source is Source.STATE]
        self.vectors = {one.name: one.kind for one in program.of(ROW, COLUMN)}
        self.real = TYPES[program.computing]
        own, self.derived = (tuple(at for at in program.host if self.nodes[at].kind == kind) for kind in (HOST, SHARED))
        asked = host_arguments(program.graph, [*self.derived, *program.shared.values()])
        self.row = tuple(dict.fromkeys([*own, *asked]))
        self.to_number, self.to_rows, self.to_columns = (
            [at for at in program.reductions if self.nodes[at].kind == kind] for kind in (TENSOR, ROW, COLUMN)
        )
        every = reached(program.graph, [*program.stores.values(), *program.reductions])
        self.folds = [at for at in every if self.nodes[at].op in REDUCTIONS and at not in program.reductions]
        self.reductions = frozenset({*program.reductions, *self.folds})

    def needed(self, targets: Iterable[int]) -> list[int]:
        """What is computed on the way to ``targets``, back to inputs, host values and reductions."""
        return [
            at for at in reached(self.program.graph, targets, tuple(self.reductions)) if self.nodes[at].kind >= TENSOR
        ]

    def scalars(self, needed: Iterable[int], targets: Iterable[int] = ()) -> list[str]:
        """Load the host and shared values that some nodes take."""
        taken = {arg for at in needed if at not in self.reductions for arg in self.nodes[at].args} | set(targets)
        return [
            f"h{at} = tl.load({buffer} + t * {len(own)} + {k}).to({self.real})"
            for buffer, own in (("scalars", self.row), ("derived", self.derived))
            for k, at in enumerate(own)
            if at in taken
        ]

    def define(self, at: int, index: str = "", mask: str = "") -> str:
        """Give a node its name: an entry at ``b + i``, a row or column at ``index``, both under ``mask``."""
        node, under = self.nodes[at], guard(mask)
        if at in self.to_number:
            call = "summed_parts" if self.sums(at) else "largest_part"
            span = "tl.load(first + t), tl.load(first + t + 1)"
            value = f"{call}(partial + {self.to_number.index(at)}, {span}, {len(self.to_number)}).to({self.real})"
        elif at in self.folds:
            value = f"tl.load(number + t * {len(self.folds)} + {self.folds.index(at)}).to({self.real})"
        elif at in self.reductions:
            value = f"tl.load({self.whole(at)} + {index}{under})"
        elif node.op == "const":
            value = self.name(at, node.kind)
        elif node.op not in ("input", OPAQUE):
            value = self._operation(at)
        elif node.kind == ELEMENT:
            value = self.load(str(table_of(node)), mask)
        elif node.kind != TENSOR:
            value = self.access[node.data].load(f"tl.load(p_{plain(node.data)} + {index}{under})", self.real)
        else:
            value = f"{self._number(node.data)}.to({self.real})"
        return f"v{at} = {value}"

    def _operation(self, at: int) -> str:
        node = self.nodes[at]
        text = OPERATIONS[node.op].triton if node.op in OPERATIONS else ""
        text = text if isinstance(text, str) else text[self.program.computing == torch.float64]
        if not text:
            raise Untraceable(f"{node.op} of tensors")
        args = [self.name(arg, node.kind) for arg in node.args]
        for place in {"where": (0,), "and": (0, 1), "or": (0, 1)}.get(node.op, ()):
            if not self.nodes[node.args[place]].is_bool:
                args[place] = f"({args[place]} != 0)"
        return text.format(*args, largest=self._constant(torch.finfo(self.program.computing).max))

    def _number(self, name: str) -> str:
        if name == "numel":
            return f"tl.load(table + t * {self.width} + {self.width - 1})"
        if name in ("rows", "columns"):
            return f"all_{name}"
        if name in self.singles:
            return f"tl.load(single + t * {len(self.singles)} + {self.singles.index(name)})"
        raise Untraceable(f"the number {name!r}")

    def load(self, table: str, mask: str) -> str:
        """The entries of a table."""
        load = self.access[table].read(table, mask, self.real)
        return f"-{load}" if table == "grad" and self.program.maximize else load

    def rounded(self, name: str, value: str) -> str:
        """A value as the operand ``name`` stores it."""
        return self.access[name].store(value)

    def name(self, at: int, kind: int) -> str:
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
        text = repr(value) if math.isfinite(value) else f'float("{value}")'
        return f"tl.full((), {text}, {self.real})"

    @property
    def width(self) -> int:
        """Columns of the table of pointers, with the number of entries at the end."""
        return len(self.program.arrays) + 1

    def address(self, name: str) -> str:
        return f"tl.load(table + t * {self.width} + {self.program.row(name)})"

    def pointer(self, name: str) -> str:
        """Find a tensor that is smaller than its parameter."""
        return f"p_{plain(name)} = {self.address(name)}.to(tl.pointer_type({self.access[name].type}))"

    def dims(self) -> list[str]:
        """The size of a matrix, and where its vectors begin."""
        begins = ["row_at", "column_at", "row_from", "column_from", "row_parts", "column_parts"]
        names = ["rows", "columns", *begins, "all_rows", "all_columns"]
        return [f"{name} = tl.load(dims + t * {len(names)} + {k})" for k, name in enumerate(names)]

    def partials(self, at: int) -> str:
        """Where the partial vectors of a reduction begin."""
        axis, own = self._axis(at)
        return offset((f"{axis}_partial", 1), (f"{axis}_from", len(own)), (f"{axis}_parts * {axis}s", own.index(at)))

    def whole(self, at: int) -> str:
        """Where the vector begins that a reduction comes to."""
        axis, own = self._axis(at)
        return offset((f"{axis}_done", 1), (f"{axis}_at", len(own)), (f"{axis}s", own.index(at)))

    def _axis(self, at: int) -> tuple[str, list[int]]:
        return ("row", self.to_rows) if self.nodes[at].kind == ROW else ("column", self.to_columns)

    def sums(self, at: int) -> bool:
        return self.nodes[at].op == "sum"

    def empty(self, at: int) -> str:
        """What a reduction of nothing comes to."""
        return "0.0" if self.sums(at) else 'float("-inf")'

    def joined(self, at: int, value: str) -> str:
        """Take a block into a reduction's blockwise result."""
        return f"s{at} = s{at} + {value}" if self.sums(at) else f"s{at} = larger(s{at}, {value})"

    def reduced(self, at: int, value: str, axis: int | None) -> str:
        """Reduce a block along an axis, or to one number."""
        return f"tl.sum({value}, {axis})" if self.sums(at) else f"largest({value}, {axis})"


def offset(*terms: tuple[str, int]) -> str:
    """Each term so many times."""
    return " + ".join(text if count == 1 else f"{count} * {text}" for text, count in terms if count)
