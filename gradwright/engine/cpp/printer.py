"""Print a program as C++: OpenMP over chunks of all tensors together, SIMD within a chunk.

A kernel is one function; a call runs some of its sweeps in one parallel region with a barrier between them. Each thread
takes a contiguous run of chunks, whose bounds depend on the tensors alone; a reduction leaves one partial result a
chunk, and everybody who needs the whole adds the partials up in the order of chunks. So the answer does not depend on
the number of threads, nor on whether the sweeps are one call or several.

What is smaller than the tensor (norms, rows, columns) is computed by each thread when it enters a tensor, into a
scratch buffer of its own: that costs a row and a column in a matrix, and saves a barrier.
"""

from __future__ import annotations

from gradwright.engine.cpp.prelude import BLOCK, BUFFERS, CHUNK, COUNTS, HALF, PRELUDE
from gradwright.engine.cpp.values import Values
from gradwright.engine.operand import COLUMN, ELEMENT, ROW, TENSOR, plain
from gradwright.engine.program import Program
from gradwright.native.maths import math_source


def print_cpp(program: Program) -> str:
    """The source of a kernel ``run(counts, buffers, from_sweep, to_sweep)``.

    Raises:
        Untraceable: the program has an operation or a storage that is not printed.
    """
    return _Printer(program).source()


class _Printer(Values):
    def source(self) -> str:
        sweeps = [self._sweep(index) for index in range(len(self.program.sweeps))]
        counts = "".join(f"    const i64 {name} = counts[{k}];\n" for k, name in enumerate(COUNTS))
        buffers = "".join(
            f"    {kind} {name} = ({kind})buffers[{k}];\n" for k, (name, kind) in enumerate(BUFFERS.items())
        )
        singles = "".join(
            f"    for (i64 t = 0; t < tensors; ++t)\n        single[{k} * tensors + t] = {self._single(name)};\n"
            for k, name in enumerate(self.singles)
        )
        uses_half = any(how.in_blocks for how in self.access.values())
        return (
            f"{PRELUDE}{HALF if uses_half else ''}{math_source({node.op for node in self.nodes}, bool(self.f))}"
            f"typedef {'float' if self.f else 'double'} C;\n"
            'extern "C" void run(const i64* counts, void* const* buffers, i64 from_sweep, i64 to_sweep) {\n'
            f"{counts}{buffers}{singles}"
            "    #pragma omp parallel num_threads(threads)\n    {\n"
            "        const i64 id = omp_get_thread_num(), of = omp_get_num_threads();\n"
            "        const i64 begin = chunks * id / of, end = chunks * (id + 1) / of;\n"
            f"        C* const mine = scratch + id * {len(self.scratched)} * longest;\n"
            + "".join(self._called(index, sweep) for index, sweep in enumerate(sweeps))
            + self._publish()
            + "    }\n}\n"
        )

    def _single(self, name: str) -> str:
        how = self.access[name]
        return how.load(f"*({how.type} const*){self.pointer(name)}")

    def _called(self, index: int, sweep: str) -> str:
        """A sweep where it is called for, behind a barrier where another was before it."""
        if len(self.program.sweeps) == 1:
            return sweep
        called = f"        if (from_sweep <= {index} && {index} <= to_sweep)\n{sweep}"
        if index == 0:
            return called
        barrier = "{\n            #pragma omp barrier\n        }\n"
        return f"        if (from_sweep < {index} && {index} <= to_sweep) {barrier}{called}"

    def _sweep(self, index: int) -> str:
        """One pass over this thread's chunks: the reductions that it completes, and the stores."""
        program, nodes, sweep = self.program, self.nodes, self.program.sweeps[index]
        needed, read, written = program.nodes(index), program.reads(index), program.writes(index)
        small = [at for at in needed if nodes[at].kind < ELEMENT]
        entries = [at for at in needed if nodes[at].kind == ELEMENT]
        numbers = [at for at in small if nodes[at].kind == TENSOR]
        touched = list(dict.fromkeys([*read, *written]))
        lines = [
            "{",
            "    i64 seen = -1, rows = 0, columns = 0, row_at = 0, column_at = 0;",
            *(f"    C h{k} = 0;" for k in range(len(program.host))),
            *(f"    {'bool' if nodes[at].is_bool else 'C'} v{at} = 0;" for at in numbers),
            *(f"    const C* b{at} = 0;" for at in small if nodes[at].kind != TENSOR),
            *(f"    {self.access[name].type}* __restrict p_{plain(name)} = 0;" for name in touched),
            "    for (i64 c = begin; c < end; ++c) {",
            "        const i64 t = chunk[3 * c], from = chunk[3 * c + 1], n = chunk[3 * c + 2];",
            "        if (t != seen) {",
            "            seen = t;",
            *(_indent(line, 12) for line in self._enter(small, touched)),
            *(_indent(line, 12) for line in self._leave(index)),
            "        }",
            *(_indent(line, 8) for line in self._entries(entries, list(sweep.reductions), read, written)),
            "    }",
            "}",
        ]
        return "".join(f"        {line}\n" for line in lines)

    def _enter(self, small: list[int], touched: list[str]) -> list[str]:
        """What a thread looks up and computes when it comes to another tensor."""
        count = len(self.program.host)
        lines = [f"h{k} = scalars[t * row + {k}];" for k in range(count)]
        lines += [f"p_{plain(name)} = ({self.access[name].type}*){self.pointer(name)};" for name in touched]
        if self.matrix:
            lines.append("rows = dims[4 * t], columns = dims[4 * t + 1];")
            lines.append("row_at = dims[4 * t + 2], column_at = dims[4 * t + 3];")
        for at in small:
            lines += self.number(at) if self.nodes[at].kind == TENSOR else self.vector(at)
        return lines

    def _leave(self, index: int) -> list[str]:
        """The owner of a tensor's first chunk stores what is smaller than the tensor."""
        lines, places = [], list(self.vectors)
        for name, at in self.program.sweeps[index].stores.items():
            kind = self.program.operand(name).kind
            if kind == TENSOR:
                how = self.access[name]
                lines.append(f"*({how.type}*){self.pointer(name)} = {how.store(self.name(at, 'v'))};")
            elif kind != ELEMENT:
                length, begins = ("rows", "row_at") if kind == ROW else ("columns", "column_at")
                out = f"staging[{places.index(name)} * (row_total + column_total) + {begins} + j]"
                lines.append(f"for (i64 j = 0; j < {length}; ++j) {out} = {self.name(at, 'b')};")
        return ["if (c == first[t]) {", *(f"    {line}" for line in lines), "}"] if lines else []

    def _publish(self) -> str:
        """When everybody has read the old state by row and column, put the new one in its place."""
        lines, last = [], self.program.last
        for k, (name, kind) in enumerate(self.vectors.items()):
            if name in self.program.sweeps[last].stores:
                length, begins = (
                    ("dims[4 * t]", "dims[4 * t + 2]") if kind == ROW else ("dims[4 * t + 1]", "dims[4 * t + 3]")
                )
                how = self.access[name]
                value = how.store(f"staging[{k} * (row_total + column_total) + {begins} + j]")
                lines += [
                    "    {",
                    f"        {how.type}* out = ({how.type}*){self.pointer(name)};",
                    f"        for (i64 j = 0; j < {length}; ++j) out[j] = {value};",
                    "    }",
                ]
        if not lines:
            return ""
        owned = "for (i64 c = begin, t; c < end; ++c) if (c == first[t = chunk[3 * c]]) {"
        every = [f"if (to_sweep == {last}) {{", "#pragma omp barrier", owned, *lines, "}", "}"]
        return "".join(f"        {line}\n" for line in every)

    def _entries(self, entries: list[int], reductions: list[int], read: list[str], written: list[str]) -> list[str]:
        """The loops over a chunk's entries: row by row, or in blocks."""
        if not reductions and not written:
            return []
        halves = [name for name in dict.fromkeys([*read, *written]) if self.access[name].in_blocks]
        whole = [at for at in reductions if self.nodes[at].kind == TENSOR]
        lines = [f"double d{at} = {'0' if self.sums(at) else '-__builtin_inf()'};" for at in whole]
        for at in reductions:
            if self.nodes[at].kind == COLUMN:
                lines.append(f"C* k{at} = column_partial + {self.column_sums.index(at)} * cells + chunk_cell[c];")
                empty = "0" if self.sums(at) else self.lowest()
                lines.append(f"for (i64 i = 0; i < columns; ++i) k{at}[i] = {empty};")
        if self.matrix:
            lines.append("for (i64 r = from / columns, stop = (from + n) / columns; r < stop; ++r) {")
            lines.append("    const i64 b = r * columns, m = columns;")
            used = {arg for at in (*entries, *reductions) for arg in self.nodes[at].args if self.nodes[arg].kind == ROW}
            used |= {at for name in written if self.nodes[at := self.program.stores[name]].kind == ROW}
            lines += [f"    const C r{at} = b{at}[r];" for at in sorted(used)]
        else:
            block = 512 if halves else BLOCK if reductions else CHUNK
            lines.append(f"for (i64 b = from; b < from + n; b += {block}) {{")
            lines.append(f"    const i64 m = from + n - b < {block} ? from + n - b : {block};")
            for name in halves:
                lines.append(f"    float w_{plain(name)}[{block}];")
                if name in read:
                    lines.append(f"    widen_half(w_{plain(name)}, p_{plain(name)} + b, m);")
        lines += [f"    {line}" for line in self._innermost(entries, reductions, written)]
        for at in reductions:
            lines += [f"    {line}" for line in self._after_block(at)]
        lines += [f"    narrow_half(p_{plain(name)} + b, w_{plain(name)}, m);" for name in halves if name in written]
        lines.append("}")
        return lines + [f"partial[{self.whole_sums.index(at)} * chunks + c] = d{at};" for at in whole]

    def _innermost(self, entries: list[int], reductions: list[int], written: list[str]) -> list[str]:
        before, clauses, inside = [], [], []
        for at in entries:
            kind = "bool" if self.nodes[at].is_bool else "C"
            inside.append(f"    const {kind} v{at} = {self.expression(at, 'e')};")
        for at in reductions:
            value = self.name(self.nodes[at].args[0], "e")
            if self.nodes[at].kind == COLUMN:
                added = f"+= {value}" if self.sums(at) else f"= larger<C>(k{at}[i], {value})"
                inside.append(f"    k{at}[i] {added};")
            elif self.sums(at):
                before.append(f"C s{at} = 0;")
                clauses.append(f"reduction(+:s{at})")
                inside.append(f"    s{at} += {value};")
            else:
                before.append(f"C s{at} = {self.lowest()}, n{at} = 0;")
                clauses.append(f"reduction(max:s{at}) reduction(+:n{at})")
                inside.append(f"    s{at} = s{at} > {value} ? s{at} : {value};")
                inside.append(f"    n{at} += (C)({value} != {value});")
        inside += [f"    {self.store(name, self.program.stores[name])}" for name in written]
        return [*before, f"#pragma omp simd {' '.join(clauses)}", "for (i64 i = 0; i < m; ++i) {", *inside, "}"]

    def _after_block(self, at: int) -> list[str]:
        """Hand a block's reduction on: to the chunk's in double, or to its row."""
        kind = self.nodes[at].kind
        if kind == COLUMN:
            return []
        value = f"s{at}" if self.sums(at) else f'(n{at} > 0 ? (C)__builtin_nan("") : s{at})'
        if kind == ROW:
            return [f"row_partial[{self.row_sums.index(at)} * row_total + row_at + r] = {value};"]
        if self.sums(at):
            return [f"d{at} += {value};"]
        return [f"{{ const double x = {value}; d{at} = larger<double>(d{at}, x); }}"]


def _indent(line: str, by: int) -> str:
    return " " * by + line
