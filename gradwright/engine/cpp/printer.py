"""Print a program as C++: OpenMP over chunks of all tensors together, SIMD within a chunk.

A kernel is one function; a call runs some of its sweeps in one parallel region with a barrier between them. Each thread
takes a contiguous run of chunks, whose bounds depend on the tensors alone; a reduction leaves one partial result a
chunk, and everybody who needs the whole adds the partials up in the order of chunks. So the answer does not depend on
the number of threads, nor on whether the sweeps are one call or several.

What is smaller than the tensor (norms, rows, columns) is computed by each thread when it enters a tensor, into a
scratch buffer of its own: that costs a row and a column in a matrix, and saves a barrier.
"""

from __future__ import annotations

from gradwright.engine.cpp.prelude import BLOCK, BUFFERS, CHUNK, COUNTS, FORMATS, HELD, PRELUDE
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
        formats = FORMATS if any(how.in_blocks for how in self.access.values()) else ""
        return (
            f"{PRELUDE}{formats}{math_source({node.op for node in self.nodes}, bool(self.f))}"
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
            *(f"    {kind}* __restrict p_{plain(array)} = 0;" for one in touched for array, kind in self.pointers(one)),
            *(["    i64 line = 1;"] if program.grouped else []),
            *(["    unsigned key = 0;"] if program.random else []),
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
        arrays = [array for name in touched for array in self.pointers(name)]
        lines += [f"p_{plain(array)} = ({kind}*){self.pointer(array)};" for array, kind in arrays]
        lines += ["line = lines[t];"] if self.program.grouped else []
        lines += ["key = (unsigned)keys[t];"] if self.program.random else []
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
        """The loops over a chunk's entries: row by row, or in blocks, or both."""
        if not reductions and not written:
            return []
        held = [name for name in dict.fromkeys([*read, *written]) if self.access[name].in_blocks]
        self.across = "o + " if self.matrix and held else ""
        whole = [at for at in reductions if self.nodes[at].kind == TENSOR]
        of_rows = [at for at in reductions if self.nodes[at].kind == ROW]
        lines = [f"double d{at} = {'0' if self.sums(at) else '-__builtin_inf()'};" for at in whole]
        for at in reductions:
            if self.nodes[at].kind == COLUMN:
                lines.append(f"C* k{at} = column_partial + {self.column_sums.index(at)} * cells + chunk_cell[c];")
                empty = "0" if self.sums(at) else self.lowest()
                lines.append(f"for (i64 i = 0; i < columns; ++i) k{at}[i] = {empty};")
        inner = [*map(self._begun, whole), *self._innermost(entries, reductions, written)]
        inner += map(self._after_block, whole)
        if held:
            before = [line for name in held for line in self._widened(name, name in read)]
            after = [self.access[name].narrowed(name) for name in held if name in written]
            inner = [*before, *inner, *after]
        if self.matrix:
            lines.append("for (i64 r = from / columns, stop = (from + n) / columns; r < stop; ++r) {")
            used = {arg for at in (*entries, *reductions) for arg in self.nodes[at].args if self.nodes[arg].kind == ROW}
            used |= {at for name in written if self.nodes[at := self.program.stores[name]].kind == ROW}
            row = [f"const C r{at} = b{at}[r];" for at in sorted(used)] + list(map(self._begun, of_rows))
            row += self._in_blocks(inner) if held else ["const i64 b = r * columns, m = columns;", *inner]
            lines += [f"    {line}" for line in (*row, *map(self._after_block, of_rows))] + ["}"]
        elif held and self.program.grouped:
            lines += self._in_blocks(inner)
        else:
            block = HELD if held else BLOCK if reductions else CHUNK
            lines.append(f"for (i64 b = from; b < from + n; b += {block}) {{")
            lines.append(f"    const i64 m = from + n - b < {block} ? from + n - b : {block};")
            lines += [*(f"    {line}" for line in inner), "}"]
        return lines + [f"partial[{self.whole_sums.index(at)} * chunks + c] = d{at};" for at in whole]

    def _widened(self, name: str, read: bool) -> list[str]:
        """A block of an operand as float, and what it holds where that is read."""
        return [f"float w_{plain(name)}[{HELD}];", *([self.access[name].widened(name)] if read else [])]

    def _in_blocks(self, inner: list[str]) -> list[str]:
        """A loop over blocks of a row, or of a chunk: none crosses the end of a line of groups."""
        head = ["for (i64 o = 0, m; o < columns; o += m) {", "const i64 b = r * columns + o, left = columns - o;"]
        if not self.matrix:
            head = ["for (i64 b = from, m; b < from + n; b += m) {", "const i64 left = from + n - b;"]
        if self.program.grouped:
            head += [
                "const i64 q = b % line, rest = left < line - q ? left : line - q;",
                "const i64 g = b / line * ((line + 31) / 32) + q / 32;",
            ]
        else:
            head.append("const i64 rest = left;")
        return [head[0], *(f"    {line}" for line in (*head[1:], f"m = rest < {HELD} ? rest : {HELD};", *inner)), "}"]

    def _innermost(self, entries: list[int], reductions: list[int], written: list[str]) -> list[str]:
        clauses, inside = [], []
        for at in entries:
            kind = "bool" if self.nodes[at].is_bool else "C"
            inside.append(f"    const {kind} v{at} = {self.expression(at, 'e')};")
        for at in reductions:
            value = self.name(self.nodes[at].args[0], "e")
            if self.nodes[at].kind == COLUMN:
                place = f"k{at}[{self.across}i]"
                joined = f"{place} + {value}" if self.sums(at) else f"larger<C>({place}, {value})"
                inside.append(f"    {place} = {joined};")
            elif self.sums(at):
                clauses.append(f"reduction(+:s{at})")
                inside.append(f"    s{at} += {value};")
            else:
                clauses.append(f"reduction(max:s{at}) reduction(+:n{at})")
                inside.append(f"    s{at} = s{at} > {value} ? s{at} : {value};")
                inside.append(f"    n{at} += (C)({value} != {value});")
        inside += [f"    {self.store(name, self.program.stores[name])}" for name in written]
        return [f"#pragma omp simd {' '.join(clauses)}", "for (i64 i = 0; i < m; ++i) {", *inside, "}"]

    def _begun(self, at: int) -> str:
        """Where a reduction to a number of the tensor or the row is gathered."""
        return f"C s{at} = 0;" if self.sums(at) else f"C s{at} = {self.lowest()}, n{at} = 0;"

    def _after_block(self, at: int) -> str:
        """Hand a reduction on: to the chunk's in double, or to its row."""
        value = f"s{at}" if self.sums(at) else f'(n{at} > 0 ? (C)__builtin_nan("") : s{at})'
        if self.nodes[at].kind == ROW:
            return f"row_partial[{self.row_sums.index(at)} * row_total + row_at + r] = {value};"
        if self.sums(at):
            return f"d{at} += {value};"
        return f"{{ const double x = {value}; d{at} = larger<double>(d{at}, x); }}"


def _indent(line: str, by: int) -> str:
    return " " * by + line
