"""The values of a program, as its C++ kernel names and computes them."""

from __future__ import annotations

import math

import torch

from gradwright.engine.cpp.storage import access
from gradwright.engine.graph.graph import Node
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.operand import COLUMN, COUNTED, ROW, TENSOR, Source, plain
from gradwright.engine.ops import OPAQUE, OPERATIONS
from gradwright.engine.program import Program, table_of


class Values:
    """``v7`` is node 7, ``h2`` the second host scalar, ``b7`` a node by row or column, ``r7`` its entry for this row.

    Attributes:
        access: how each operand is read and written.
        singles, vectors: the operands with one number of each tensor, and with one of each row or column.
        whole_sums, row_sums, column_sums: the reductions that sweeps complete, by what they reduce to.
        scratched: the nodes by row or column that need a buffer of each thread.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.nodes = program, program.graph.nodes
        self.f = "" if program.computing == torch.float64 else "f"
        self.access = {one.name: access(one.storage) for one in program.operands}
        self.singles = [one.name for one in program.of(TENSOR) if one.source is Source.STATE]
        self.vectors = {one.name: one.kind for one in program.of(ROW, COLUMN)}
        self.matrix = program.folding is not None
        self.across = ""
        """What is added to an entry's place in its block for that in its row."""
        self.host = {at: index for index, at in enumerate(program.host)}
        self.whole_sums, self.row_sums, self.column_sums = (
            [at for at in program.reductions if self.nodes[at].kind == kind] for kind in (TENSOR, ROW, COLUMN)
        )
        self.scratched: list[int] = []

    def pointer(self, array: str) -> str:
        """Where an array of the present tensor lies."""
        return f"table[{self.program.row(array)} * tensors + t]"

    def pointers(self, name: str) -> list[tuple[str, str]]:
        """The arrays of an operand with their types."""
        how = self.access[name]
        return [(name + suffix, kind) for suffix, kind in zip(how.suffixes, how.types)]

    def number(self, at: int) -> list[str]:
        """Compute a node that is one number of each tensor."""
        node = self.nodes[at]
        chunks_of_t = "for (i64 k = first[t]; k < first[t + 1]; ++k)"
        if at in self.whole_sums:
            mine = f"partial[{self.whole_sums.index(at)} * chunks + k]"
            if node.op == "sum":
                return [f"{{ double d = 0; {chunks_of_t} d += {mine}; v{at} = (C)d; }}"]
            return [f"{{ double d = -__builtin_inf(); {chunks_of_t} d = larger<double>(d, {mine}); v{at} = (C)d; }}"]
        if node.op in ("sum", "amax"):
            vector = f"b{node.args[0]}"
            every = f"for (i64 k = 0; k < {self.length(node.args[0])}; ++k)"
            if node.op == "sum":
                return [f"{{ double d = 0; {every} d += {vector}[k]; v{at} = (C)d; }}"]
            return [f"{{ C d = {vector}[0]; {every} d = larger<C>(d, {vector}[k]); v{at} = d; }}"]
        if node.op == "input":
            if node.data in COUNTED:
                return [f"v{at} = (C)whole[3 * t + {COUNTED.index(node.data)}];"]
            return [f"v{at} = single[{self.singles.index(node.data)} * tensors + t];"]
        return [f"v{at} = {self.expression(at, 'v')};"]

    def vector(self, at: int) -> list[str]:
        """Compute a node that is one number of each row or column, in this thread's scratch."""
        node, length = self.nodes[at], self.length(at)
        if at in self.row_sums:
            return [f"b{at} = row_partial + {self.row_sums.index(at)} * row_total + row_at;"]
        if at not in self.scratched:
            self.scratched.append(at)
        lines = [f"C* __restrict o = mine + {self.scratched.index(at)} * longest;"]
        if at in self.column_sums:
            part = f"const C* part = column_partial + {self.column_sums.index(at)} * cells + chunk_cell[k];"
            add = "o[j] += part[j]" if node.op == "sum" else "o[j] = larger<C>(o[j], part[j])"
            lines += [
                f"for (i64 j = 0; j < {length}; ++j) o[j] = {'0' if node.op == 'sum' else self.lowest()};",
                f"for (i64 k = first[t]; k < first[t + 1]; ++k) {{ {part} for (i64 j = 0; j < {length}; ++j) {add}; }}",
            ]
        elif node.op == "input":
            how = self.access[node.data]
            lines.append(f"const {how.type}* in = (const {how.type}*){self.pointer(node.data)};")
            lines.append(f"for (i64 j = 0; j < {length}; ++j) o[j] = {how.load('in[j]')};")
        else:
            lines.append(f"for (i64 j = 0; j < {length}; ++j) o[j] = {self.expression(at, 'b')};")
        return [f"{{ {' '.join(lines)} b{at} = o; }}"]

    def load(self, name: str) -> str:
        """An entry of a full-size operand."""
        how = self.access[name]
        return f"w_{plain(name)}[i]" if how.in_blocks else how.load(f"p_{plain(name)}[b + i]")

    def store(self, name: str, at: int) -> str:
        """Write an entry of a full-size operand."""
        how, value = self.access[name], self.name(at, "e")
        if name == "param":
            value = f"{self.load('param')} - {value}"
        if how.in_blocks:
            return f"w_{plain(name)}[i] = {value};"
        return f"p_{plain(name)}[b + i] = {how.store(value)};"

    def expression(self, at: int, where: str) -> str:
        """The C++ of a node, inside a loop over entries (``e``) or vectors (``b``), or outside of loops (``v``)."""
        node: Node = self.nodes[at]
        if node.op == "const":
            return self.name(at, where)
        if node.op in ("input", OPAQUE):
            load = self.load(str(table_of(node)))
            return f"-{load}" if node.data == "grad" and self.program.maximize else load
        if node.op not in OPERATIONS or not OPERATIONS[node.op].cpp:
            raise Untraceable(f"{node.op} of tensors")
        largest = "3.40282346638528859812e38f" if self.f else "1.7976931348623157e308"
        args = (self.name(arg, where) for arg in node.args)
        return OPERATIONS[node.op].cpp.format(*args, f=self.f, largest=largest)

    def name(self, at: int, where: str) -> str:
        """What a node is called there."""
        node = self.nodes[at]
        if node.op == "const":
            if math.isfinite(node.data):
                return f"(C){node.data!r}"
            if math.isnan(node.data):
                return '(C)__builtin_nan("")'
            return f"({'-' if node.data < 0 else ''}(C)__builtin_inf())"
        if at in self.host:
            return f"h{self.host[at]}"
        if node.kind in (ROW, COLUMN):
            return f"b{at}[j]" if where == "b" else f"r{at}" if node.kind == ROW else f"b{at}[{self.across}i]"
        return f"v{at}"

    def length(self, at: int) -> str:
        return "rows" if self.nodes[at].kind == ROW else "columns"

    def sums(self, at: int) -> bool:
        return self.nodes[at].op == "sum"

    def lowest(self) -> str:
        return f"-__builtin_inf{self.f}()"
