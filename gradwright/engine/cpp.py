"""Print a plan as C++: OpenMP over chunks of all tensors together, SIMD within a chunk.

A kernel is one parallel region with a barrier between sweeps. Each thread takes a contiguous run of chunks, whose
bounds depend on the tensors alone; a reduction leaves one partial result a chunk, and everybody who needs the whole
adds the partials up in the order of chunks. So the answer does not depend on the number of threads.

What is smaller than the tensor (norms, rows, columns) is computed by each thread when it enters a tensor, into a
scratch buffer of its own: that costs a row and a column in a matrix, and saves a barrier.
"""

from __future__ import annotations

import math
import re

import torch

from gradwright.engine.cpp_prelude import BLOCK, BUFFERS, CHUNK, COUNTS, HALF, PRELUDE, STORED
from gradwright.engine.graph import COLUMN, ELEMENT, OPAQUE, ROW, TENSOR, Node
from gradwright.engine.layout import Layout
from gradwright.engine.plan import Plan, table_of
from gradwright.engine.symbol import Untraceable
from gradwright.native.maths import math_source

ELEMENT_OPS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "abs": "__builtin_fabs{f}({0})",
    "sqrt": "__builtin_sqrt{f}({0})",
    **{op: f"{op}_({{0}})" for op in ("exp", "log", "log1p", "sigmoid", "softplus")},
    "atan2": "atan2_({0}, {1})",
    "sign": "((C)({0} > 0) - (C)({0} < 0))",  # of NaN it is 0, as in torch
    "maximum": "larger<C>({0}, {1})",
    "minimum": "smaller<C>({0}, {1})",
    "where": "({0} ? {1} : {2})",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
    "and": "((bool)({0}) & (bool)({1}))",
    "or": "((bool)({0}) | (bool)({1}))",
    "not": "!{0}",
    "isnan": "({0} != {0})",
    "isfinite": "(__builtin_fabs{f}({0}) <= {largest})",
}


def print_cpp(plan: Plan, layout: Layout) -> str:
    """The source of a kernel ``run`` for ``plan``.

    Raises:
        Untraceable: it has an operation or a type that is not printed yet.
    """
    return _Printer(plan, layout).source()


class _Printer:
    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout, self.nodes = plan, layout, plan.graph.nodes
        self.f = "" if layout.computing == torch.float64 else "f"
        for dtype in (*layout.stored, *layout.singles, *layout.vectors):
            if dtype not in STORED:
                raise Untraceable(f"the storage type {dtype}")
        self.types = {name: STORED[dtype] for name, dtype in zip(plan.tables, layout.stored)}
        self.matrix = plan.split is not None
        if self.matrix and "half" in self.types.values():
            raise Untraceable("rows and columns in float16")
        self.host = {at: index for index, at in enumerate(plan.host)}
        self.row_sums = [at for at in plan.reductions if self.nodes[at].kind == ROW]
        self.column_sums = [at for at in plan.reductions if self.nodes[at].kind == COLUMN]
        self.whole_sums = [at for at in plan.reductions if self.nodes[at].kind == TENSOR]
        self.vectors: list[int] = []

    def source(self) -> str:
        sweeps = [self._sweep(index) for index in range(self.plan.last + 1)]
        counts = "".join(f"    const i64 {name} = counts[{k}];\n" for k, name in enumerate(COUNTS))
        buffers = "".join(
            f"    {kind} {name} = ({kind})buffers[{k}];\n" for k, (name, kind) in enumerate(BUFFERS.items())
        )
        singles = "".join(
            f"    for (i64 t = {k} * tensors; t < {k + 1} * tensors; ++t)\n"
            f"        single[t] = (C)*({STORED[dtype]} const*)single_table[t];\n"
            for k, dtype in enumerate(self.layout.singles)
        )
        uses_half = "half" in self.types.values()
        return (
            f"{PRELUDE}{HALF if uses_half else ''}{math_source({node.op for node in self.nodes}, bool(self.f))}"
            f"typedef {'float' if self.f else 'double'} C;\n"
            'extern "C" void run(const i64* counts, void* const* buffers) {\n'
            f"{counts}{buffers}{singles}"
            "    #pragma omp parallel num_threads(threads)\n    {\n"
            "        const i64 id = omp_get_thread_num(), of = omp_get_num_threads();\n"
            "        const i64 begin = chunks * id / of, end = chunks * (id + 1) / of;\n"
            f"        C* const mine = scratch + id * {len(self.vectors)} * longest;\n"
            + "        #pragma omp barrier\n".join(sweeps)
            + self._publish()
            + "    }\n}\n"
        )

    def _sweep(self, index: int) -> str:
        """One pass over this thread's chunks: the reductions that it completes, and the stores."""
        plan, nodes = self.plan, self.nodes
        final = index == plan.last
        needed, read, written = plan.nodes(index), plan.reads(index), plan.writes(index)
        reductions = [] if final else list(plan.sweeps[index])
        small = [at for at in needed if nodes[at].kind < ELEMENT]
        entries = [at for at in needed if nodes[at].kind == ELEMENT]
        numbers = [at for at in small if nodes[at].kind == TENSOR]
        lines = [
            "{",
            "    i64 seen = -1, rows = 0, columns = 0, row_at = 0, column_at = 0;",
            *(f"    C h{k} = 0;" for k in range(len(plan.host))),
            *(f"    {'bool' if nodes[at].is_bool else 'C'} v{at} = 0;" for at in numbers),
            *(f"    const C* b{at} = 0;" for at in small if nodes[at].kind != TENSOR),
            *(f"    {self.types[name]}* __restrict p_{_c(name)} = 0;" for name in dict.fromkeys([*read, *written])),
            "    for (i64 c = begin; c < end; ++c) {",
            "        const i64 t = chunk[3 * c], from = chunk[3 * c + 1], n = chunk[3 * c + 2];",
            "        if (t != seen) {",
            "            seen = t;",
            *(_indent(line, 12) for line in self._enter(small, list(dict.fromkeys([*read, *written])))),
            *(_indent(line, 12) for line in (self._leave(small) if final else [])),
            "        }",
            *(_indent(line, 8) for line in self._entries(entries, reductions, read, written)),
            "    }",
            "}",
        ]
        return "".join(f"        {line}\n" for line in lines)

    def _enter(self, small: list[int], tables: list[str]) -> list[str]:
        """What a thread looks up and computes when it comes to another tensor."""
        plan = self.plan
        lines = [f"h{k} = scalars[t * {len(plan.host)} + {k}];" for k in range(len(plan.host))]
        lines += [
            f"p_{_c(name)} = ({self.types[name]}*)table[{plan.tables.index(name)} * tensors + t];" for name in tables
        ]
        if self.matrix:
            lines.append("rows = dims[4 * t], columns = dims[4 * t + 1];")
            lines.append("row_at = dims[4 * t + 2], column_at = dims[4 * t + 3];")
        for at in small:
            lines += self._number(at) if self.nodes[at].kind == TENSOR else self._vector(at)
        return lines

    def _number(self, at: int) -> list[str]:
        """The value of a node that is one number of each tensor."""
        node = self.nodes[at]
        chunks_of_t = "for (i64 k = first[t]; k < first[t + 1]; ++k)"
        if at in self.whole_sums:
            mine = f"partial[{self.whole_sums.index(at)} * chunks + k]"
            if node.op == "sum":
                return [f"{{ double d = 0; {chunks_of_t} d += {mine}; v{at} = (C)d; }}"]
            return [f"{{ double d = -__builtin_inf(); {chunks_of_t} d = larger<double>(d, {mine}); v{at} = (C)d; }}"]
        if node.op in ("sum", "amax"):
            vector = f"b{node.args[0]}"
            every = f"for (i64 k = 0; k < {self._length(node.args[0])}; ++k)"
            if node.op == "sum":
                return [f"{{ double d = 0; {every} d += {vector}[k]; v{at} = (C)d; }}"]
            return [f"{{ C d = {vector}[0]; {every} d = larger<C>(d, {vector}[k]); v{at} = d; }}"]
        if node.op == "input":
            if node.data == "numel":
                last = "3 * (first[t + 1] - 1)"
                return [f"v{at} = (C)(chunk[{last} + 1] + chunk[{last} + 2]);"]
            if node.data in ("rows", "columns"):
                return [f"v{at} = (C){node.data};"]
            return [f"v{at} = single[{self.plan.singles.index(node.data)} * tensors + t];"]
        return [f"v{at} = {self._expression(at, 'v')};"]

    def _vector(self, at: int) -> list[str]:
        """The value of a node that is one number of each row or column, in this thread's scratch."""
        node, length = self.nodes[at], self._length(at)
        if at in self.row_sums:
            return [f"b{at} = row_partial + {self.row_sums.index(at)} * row_total + row_at;"]
        if at not in self.vectors:
            self.vectors.append(at)
        lines = [f"C* __restrict o = mine + {self.vectors.index(at)} * longest;"]
        if at in self.column_sums:
            part = f"const C* part = column_partial + {self.column_sums.index(at)} * cells + chunk_cell[k];"
            add = "o[j] += part[j]" if node.op == "sum" else "o[j] = larger<C>(o[j], part[j])"
            lines += [
                f"for (i64 j = 0; j < {length}; ++j) o[j] = {'0' if node.op == 'sum' else self._lowest()};",
                f"for (i64 k = first[t]; k < first[t + 1]; ++k) {{ {part} for (i64 j = 0; j < {length}; ++j) {add}; }}",
            ]
        elif node.op == "input":
            k = list(self.plan.vectors).index(node.data)
            kind = STORED[self.layout.vectors[k]]
            lines.append(f"const {kind}* in = (const {kind}*)vector_table[{k} * tensors + t];")
            lines.append(f"for (i64 j = 0; j < {length}; ++j) o[j] = {_widened(kind, 'in[j]')};")
        else:
            lines.append(f"for (i64 j = 0; j < {length}; ++j) o[j] = {self._expression(at, 'b')};")
        return [f"{{ {' '.join(lines)} b{at} = o; }}"]

    def _leave(self, small: list[int]) -> list[str]:
        """In the last sweep, the owner of a tensor's first chunk stores what is smaller than the tensor."""
        plan, lines = self.plan, []
        for k, key in enumerate(plan.singles):
            if key in plan.stores:
                stored, value = STORED[self.layout.singles[k]], self._name(plan.stores[key], "v")
                lines.append(f"*({stored}*)single_table[{k} * tensors + t] = {_narrowed(stored, value)};")
        for k, (key, kind) in enumerate(plan.vectors.items()):
            if key in plan.stores:
                length, begins = ("rows", "row_at") if kind == ROW else ("columns", "column_at")
                out = f"staging[{k} * (row_total + column_total) + {begins} + j]"
                lines.append(f"for (i64 j = 0; j < {length}; ++j) {out} = {self._name(plan.stores[key], 'b')};")
        return ["if (c == first[t]) {", *(f"    {line}" for line in lines), "}"] if lines else []

    def _publish(self) -> str:
        """When everybody has read the old state by row and column, put the new one in its place."""
        lines = []
        for k, (key, kind) in enumerate(self.plan.vectors.items()):
            if key in self.plan.stores:
                length, begins = (
                    ("dims[4 * t]", "dims[4 * t + 2]") if kind == ROW else ("dims[4 * t + 1]", "dims[4 * t + 3]")
                )
                stored = STORED[self.layout.vectors[k]]
                value = f"staging[{k} * (row_total + column_total) + {begins} + j]"
                lines += [
                    f"    {stored}* out = ({stored}*)vector_table[{k} * tensors + t];",
                    f"    for (i64 j = 0; j < {length}; ++j) out[j] = {_narrowed(stored, value)};",
                ]
                lines = [*lines[:-2], "    {", *(f"    {line}" for line in lines[-2:]), "    }"]
        if not lines:
            return ""
        owned = "for (i64 c = begin, t; c < end; ++c) if (c == first[t = chunk[3 * c]]) {"
        return "".join(f"        {line}\n" for line in ["#pragma omp barrier", owned, *lines, "}"])

    def _entries(self, entries: list[int], reductions: list[int], read: list[str], written: list[str]) -> list[str]:
        """The loops over a chunk's entries: row by row, or in blocks."""
        if not reductions and not written:
            return []
        halves = [name for name in dict.fromkeys([*read, *written]) if self.types[name] == "half"]
        whole = [at for at in reductions if self.nodes[at].kind == TENSOR]
        lines = [f"double d{at} = {'0' if self._sums(at) else '-__builtin_inf()'};" for at in whole]
        for at in reductions:
            if self.nodes[at].kind == COLUMN:
                lines.append(f"C* k{at} = column_partial + {self.column_sums.index(at)} * cells + chunk_cell[c];")
                lines.append(
                    f"for (i64 i = 0; i < columns; ++i) k{at}[i] = {'0' if self._sums(at) else self._lowest()};"
                )
        if self.matrix:
            lines.append("for (i64 r = from / columns, stop = (from + n) / columns; r < stop; ++r) {")
            lines.append("    const i64 b = r * columns, m = columns;")
            used = {arg for at in (*entries, *reductions) for arg in self.nodes[at].args if self.nodes[arg].kind == ROW}
            used |= {at for name in written if self.nodes[at := self.plan.stores[name]].kind == ROW}
            lines += [f"    const C r{at} = b{at}[r];" for at in sorted(used)]
        else:
            block = 512 if halves else BLOCK if reductions else CHUNK
            lines.append(f"for (i64 b = from; b < from + n; b += {block}) {{")
            lines.append(f"    const i64 m = from + n - b < {block} ? from + n - b : {block};")
            for name in halves:
                lines.append(f"    float w_{_c(name)}[{block}];")
                if name in read:
                    lines.append(f"    widen_half(w_{_c(name)}, p_{_c(name)} + b, m);")
        lines += [f"    {line}" for line in self._innermost(entries, reductions, written)]
        for at in reductions:
            lines += [f"    {line}" for line in self._after_block(at)]
        lines += [f"    narrow_half(p_{_c(name)} + b, w_{_c(name)}, m);" for name in halves if name in written]
        lines.append("}")
        return lines + [f"partial[{self.whole_sums.index(at)} * chunks + c] = d{at};" for at in whole]

    def _innermost(self, entries: list[int], reductions: list[int], written: list[str]) -> list[str]:
        before, clauses, inside = [], [], []
        for at in entries:
            kind = "bool" if self.nodes[at].is_bool else "C"
            inside.append(f"    const {kind} v{at} = {self._expression(at, 'e')};")
        for at in reductions:
            value = self._name(self.nodes[at].args[0], "e")
            if self.nodes[at].kind == COLUMN:
                inside.append(
                    f"    k{at}[i] " + (f"+= {value};" if self._sums(at) else f"= larger<C>(k{at}[i], {value});")
                )
            elif self._sums(at):
                before.append(f"C s{at} = 0;")
                clauses.append(f"reduction(+:s{at})")
                inside.append(f"    s{at} += {value};")
            else:
                before.append(f"C s{at} = {self._lowest()}, n{at} = 0;")
                clauses.append(f"reduction(max:s{at}) reduction(+:n{at})")
                inside.append(f"    s{at} = s{at} > {value} ? s{at} : {value};")
                inside.append(f"    n{at} += (C)({value} != {value});")
        inside += [f"    {self._store(name)}" for name in written]
        return [*before, f"#pragma omp simd {' '.join(clauses)}", "for (i64 i = 0; i < m; ++i) {", *inside, "}"]

    def _after_block(self, at: int) -> list[str]:
        """Hand a block's reduction on: to the chunk's in double, or to its row."""
        kind = self.nodes[at].kind
        if kind == COLUMN:
            return []
        value = f"s{at}" if self._sums(at) else f'(n{at} > 0 ? (C)__builtin_nan("") : s{at})'
        if kind == ROW:
            return [f"row_partial[{self.row_sums.index(at)} * row_total + row_at + r] = {value};"]
        if self._sums(at):
            return [f"d{at} += {value};"]
        return [f"{{ const double x = {value}; d{at} = larger<double>(d{at}, x); }}"]

    def _store(self, name: str) -> str:
        value = self._name(self.plan.stores[name], "e")
        if name == "param":
            value = f"{self._load('param')} - {value}"
        if self.types[name] == "half":
            return f"w_{_c(name)}[i] = {value};"
        return f"p_{_c(name)}[b + i] = {_narrowed(self.types[name], value)};"

    def _load(self, name: str) -> str:
        kind = self.types[name]
        return f"w_{_c(name)}[i]" if kind == "half" else _widened(kind, f"p_{_c(name)}[b + i]")

    def _expression(self, at: int, where: str) -> str:
        """The C++ of a node, inside a loop over entries (``e``) or vectors (``b``), or outside of loops (``v``)."""
        node: Node = self.nodes[at]
        if node.op == "const":
            return self._name(at, where)
        if node.op in ("input", OPAQUE):
            load = self._load(str(table_of(node)))
            return f"-{load}" if node.data == "grad" and self.layout.maximize else load
        if node.op not in ELEMENT_OPS:
            raise Untraceable(f"{node.op} of tensors")
        largest = "3.40282346638528859812e38f" if self.f else "1.7976931348623157e308"
        args = (self._name(arg, where) for arg in node.args)
        return ELEMENT_OPS[node.op].format(*args, f=self.f, largest=largest)

    def _name(self, at: int, where: str) -> str:
        node = self.nodes[at]
        if node.op == "const":
            if math.isfinite(node.data):
                return f"(C){node.data!r}"
            return (
                '(C)__builtin_nan("")'
                if math.isnan(node.data)
                else f"({'-' if node.data < 0 else ''}(C)__builtin_inf())"
            )
        if at in self.host:
            return f"h{self.host[at]}"
        if node.kind in (ROW, COLUMN):
            return f"b{at}[j]" if where == "b" else f"r{at}" if node.kind == ROW else f"b{at}[i]"
        return f"v{at}"

    def _length(self, at: int) -> str:
        return "rows" if self.nodes[at].kind == ROW else "columns"

    def _sums(self, at: int) -> bool:
        return self.nodes[at].op == "sum"

    def _lowest(self) -> str:
        return f"-__builtin_inf{self.f}()"


def _widened(kind: str, value: str) -> str:
    return f"widen({value})" if kind == "bf16" else f"(C){value}"


def _narrowed(kind: str, value: str) -> str:
    return f"narrow({value})" if kind == "bf16" else f"({kind})({value})"


def _indent(line: str, by: int) -> str:
    return " " * by + line


def _c(name: str) -> str:
    """A name of C++ for any name of a slot, another one for each."""
    return re.sub(r"[^0-9A-Za-z_]", lambda found: f"_{ord(found.group()):x}_", name)
