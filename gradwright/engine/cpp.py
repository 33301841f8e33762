"""Print a plan as C++: OpenMP over chunks of all tensors together, SIMD within a chunk."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from gradwright.engine.graph import ELEMENT, TENSOR
from gradwright.engine.plan import Plan
from gradwright.engine.symbol import Untraceable

CHUNK = 16384
"""Entries in a chunk, the unit that threads share out; a reduction's order depends on it and on nothing else."""
BLOCK = 2048
"""Entries that a reduction adds in single precision before it goes on in double."""

STORED = {torch.float32: "float", torch.float64: "double", torch.bfloat16: "bf16", torch.float16: "half"}

PRELUDE = """\
typedef long long i64;
typedef unsigned short bf16;
typedef unsigned short half;
extern "C" int omp_get_thread_num(void);
extern "C" int omp_get_num_threads(void);
static inline float widen(bf16 x) { return __builtin_bit_cast(float, (unsigned)x << 16); }
static inline bf16 narrow(float x) {
    unsigned b = __builtin_bit_cast(unsigned, x);
    unsigned r = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
    return (bf16)(x != x ? 0x7fc0u : r);
}
"""

HALF = """\
#if defined(__F16C__)
typedef short short8 __attribute__((vector_size(16), aligned(2)));
typedef float float8 __attribute__((vector_size(32), aligned(4)));
static inline void widen_half(float* out, const half* in, i64 n) {
    i64 i = 0;
    for (; i + 8 <= n; i += 8) *(float8*)(out + i) = __builtin_ia32_vcvtph2ps256(*(const short8*)(in + i));
    for (; i < n; ++i) out[i] = (float)__builtin_bit_cast(_Float16, in[i]);
}
static inline void narrow_half(half* out, const float* in, i64 n) {
    i64 i = 0;
    for (; i + 8 <= n; i += 8) *(short8*)(out + i) = __builtin_ia32_vcvtps2ph256(*(const float8*)(in + i), 0);
    for (; i < n; ++i) out[i] = __builtin_bit_cast(half, (_Float16)in[i]);
}
#else
static inline void widen_half(float* out, const half* in, i64 n) {
    for (i64 i = 0; i < n; ++i) out[i] = (float)__builtin_bit_cast(_Float16, in[i]);
}
static inline void narrow_half(half* out, const float* in, i64 n) {
    for (i64 i = 0; i < n; ++i) out[i] = __builtin_bit_cast(half, (_Float16)in[i]);
}
#endif
"""

ELEMENT_OPS = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "abs": "__builtin_fabs{f}({0})",
    "sqrt": "__builtin_sqrt{f}({0})",
    "sign": "({0} != {0} ? {0} : (C)({0} > 0) - (C)({0} < 0))",
    "maximum": "({0} > {1} || {0} != {0} ? {0} : {1})",
    "minimum": "({0} < {1} || {0} != {0} ? {0} : {1})",
    "where": "({0} ? {1} : {2})",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
    "and": "({0} & {1})",
    "or": "({0} | {1})",
    "not": "!{0}",
    "isnan": "({0} != {0})",
    "isfinite": "(__builtin_fabs{f}({0}) <= {largest})",
}


@dataclass(frozen=True)
class Layout:
    """How a plan's tensors are stored, which the kernel is printed for."""

    computing: torch.dtype
    stored: tuple[torch.dtype, ...]
    singles: tuple[torch.dtype, ...]
    maximize: bool


def print_cpp(plan: Plan, layout: Layout) -> str:
    """The source of a kernel ``run`` for ``plan``.

    Raises:
        Untraceable: it has an operation or a type that is not printed yet.
    """
    return _Printer(plan, layout).source()


class _Printer:
    def __init__(self, plan: Plan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout
        self.double = layout.computing == torch.float64
        for dtype in (*layout.stored, *layout.singles):
            if dtype not in STORED:
                raise Untraceable(f"the storage type {dtype}")
        self.types = {name: STORED[dtype] for name, dtype in zip(plan.tables, layout.stored)}
        self.reductions = plan.reductions
        self.rows = {at: index for index, at in enumerate(plan.host)}

    def source(self) -> str:
        sweeps = [self._sweep(index, list(found)) for index, found in enumerate(self.plan.sweeps)]
        sweeps.append(self._sweep(len(self.plan.sweeps), []))
        body = "        #pragma omp barrier\n".join(sweeps)
        singles = "".join(
            f"    for (i64 t = {k} * tensors; t < {k + 1} * tensors; ++t)\n"
            f"        single[t] = (C)*({STORED[dtype]} const*)singles[t];\n"
            for k, dtype in enumerate(self.layout.singles)
        )
        uses_half = "half" in self.types.values()
        return (
            f"{PRELUDE}{HALF if uses_half else ''}typedef {'double' if self.double else 'float'} C;\n"
            'extern "C" void run(i64 tensors, i64 chunks, const i64* chunk, const i64* first, void* const* table,\n'
            "    const C* rows, void* const* singles, C* single, double* partial, int threads) {\n"
            f"{singles}"
            "    #pragma omp parallel num_threads(threads)\n    {\n"
            "        const i64 id = omp_get_thread_num(), of = omp_get_num_threads();\n"
            "        const i64 begin = chunks * id / of, end = chunks * (id + 1) / of;\n"
            f"{body}    }}\n}}\n"
        )

    def _sweep(self, index: int, reductions: list[int]) -> str:
        """One pass over this thread's chunks: the reductions it completes, or, in the last one, the stores."""
        plan, graph = self.plan, self.plan.graph
        final = index == plan.last
        needed, read, written = plan.nodes(index), plan.reads(index), plan.writes if final else []
        per_tensor = [at for at in needed if graph.nodes[at].kind == TENSOR]
        per_entry = [at for at in needed if graph.nodes[at].kind == ELEMENT]
        columns = list(dict.fromkeys([*read, *written]))
        lines = [
            "        {",
            "            i64 seen = -1;",
            *(f"            C h{row} = 0;" for row in range(len(plan.host))),
            *(f"            {'bool' if graph.nodes[at].is_bool else 'C'} v{at} = 0;" for at in per_tensor),
            *(f"            {self.types[name]}* __restrict p_{_c(name)} = 0;" for name in columns),
            "            for (i64 c = begin; c < end; ++c) {",
            "                const i64 t = chunk[3 * c], from = chunk[3 * c + 1], n = chunk[3 * c + 2];",
            "                if (t != seen) {",
            "                    seen = t;",
            *(f"                    h{row} = rows[t * {len(plan.host)} + {row}];" for row in range(len(plan.host))),
            *(
                f"                    p_{_c(name)} = "
                f"({self.types[name]}*)table[{plan.tables.index(name)} * tensors + t];"
                for name in columns
            ),
            *(f"                    {line}" for at in per_tensor for line in self._tensor_value(at)),
            "                }",
        ]
        lines += self._entries(per_entry, reductions, read, written)
        if final:
            for key in plan.singles:
                if key in plan.stores:
                    k = plan.singles.index(key)
                    kind = STORED[self.layout.singles[k]]
                    value = self._name(plan.stores[key])
                    lines.append(
                        f"                if (c == first[t]) *({kind}*)singles[{k} * tensors + t] = ({kind}){value};"
                    )
        lines += ["            }", "        }\n"]
        return "\n".join(lines)

    def _tensor_value(self, at: int) -> list[str]:
        node = self.plan.graph.nodes[at]
        if at in self.reductions:
            k = self.reductions.index(at)
            span = "for (i64 k = first[t]; k < first[t + 1]; ++k) d"
            if node.op == "sum":
                return [f"{{ double d = 0; {span} += partial[{k} * chunks + k]; v{at} = (C)d; }}"]
            take = f"(d != d || d > partial[{k} * chunks + k] ? d : partial[{k} * chunks + k])"
            return [f"{{ double d = partial[{k} * chunks + first[t]]; {span} = {take}; v{at} = (C)d; }}"]
        if node.op == "input":
            if node.data == "numel":
                last = "first[t + 1] - 1"
                return [f"v{at} = (C)(chunk[3 * ({last}) + 1] + chunk[3 * ({last}) + 2]);"]
            return [f"v{at} = single[{self.plan.singles.index(node.data)} * tensors + t];"]
        return [f"v{at} = {self._expression(at)};"]

    def _entries(self, per_entry: list[int], reductions: list[int], read: list[str], written: list[str]) -> list[str]:
        """The loop over a chunk's entries, in blocks where sums or half-precision buffers ask for them."""
        pad = " " * 16
        halves = [name for name in dict.fromkeys([*read, *written]) if self.types[name] == "half"]
        block = 512 if halves else BLOCK if reductions else CHUNK
        lines = [f"{pad}double d{at} = {'0' if self._sums(at) else '-__builtin_inf()'};" for at in reductions]
        lines.append(f"{pad}for (i64 b = from; b < from + n; b += {block}) {{")
        lines.append(f"{pad}    const i64 m = from + n - b < {block} ? from + n - b : {block};")
        for name in halves:
            lines.append(f"{pad}    float w_{_c(name)}[{block}];")
            if name in read:
                lines.append(f"{pad}    widen_half(w_{_c(name)}, p_{_c(name)} + b, m);")
        clauses = []
        for at in reductions:
            lines.append(f"{pad}    C s{at} = {'0' if self._sums(at) else '-__builtin_inf' + self._f() + '()'};")
            clauses.append(f"reduction({'+' if self._sums(at) else 'max'}:s{at})")
            if not self._sums(at):
                lines.append(f"{pad}    C n{at} = 0;")
                clauses.append(f"reduction(+:n{at})")
        lines.append(f"{pad}    #pragma omp simd {' '.join(clauses)}")
        lines.append(f"{pad}    for (i64 i = 0; i < m; ++i) {{")
        inner = pad + " " * 8
        for at in per_entry:
            kind = "bool" if self.plan.graph.nodes[at].is_bool else "C"
            lines.append(f"{inner}const {kind} v{at} = {self._expression(at)};")
        for at in reductions:
            value = self._name(self.plan.graph.nodes[at].args[0])
            if self._sums(at):
                lines.append(f"{inner}s{at} += {value};")
            else:
                lines.append(f"{inner}s{at} = s{at} > {value} ? s{at} : {value};")
                lines.append(f"{inner}n{at} += (C)({value} != {value});")
        for name in written:
            lines.append(f"{inner}{self._store(name)}")
        lines.append(f"{pad}    }}")
        for at in reductions:
            if self._sums(at):
                lines.append(f"{pad}    d{at} += s{at};")
            else:
                lines.append(
                    f'{pad}    d{at} = n{at} > 0 || d{at} != d{at} ? __builtin_nan("") : d{at} > s{at} ? d{at} : s{at};'
                )
        for name in halves:
            if name in written:
                lines.append(f"{pad}    narrow_half(p_{_c(name)} + b, w_{_c(name)}, m);")
        lines.append(f"{pad}}}")
        lines += [f"{pad}partial[{self.reductions.index(at)} * chunks + c] = d{at};" for at in reductions]
        return lines

    def _store(self, name: str) -> str:
        value = self._name(self.plan.stores[name])
        if name == "param":
            value = f"{self._load('param')} - {value}"
        kind = self.types[name]
        if kind == "half":
            return f"w_{_c(name)}[i] = {value};"
        if kind == "bf16":
            return f"p_{_c(name)}[b + i] = narrow({value});"
        return f"p_{_c(name)}[b + i] = ({kind})({value});"

    def _load(self, name: str) -> str:
        kind, at = self.types[name], f"p_{_c(name)}[b + i]"
        return f"w_{_c(name)}[i]" if kind == "half" else f"widen({at})" if kind == "bf16" else f"(C){at}"

    def _expression(self, at: int) -> str:
        node = self.plan.graph.nodes[at]
        if node.op == "input":
            load = self._load(node.data)
            return f"-{load}" if node.data == "grad" and self.layout.maximize else load
        if node.op not in ELEMENT_OPS:
            raise Untraceable(f"{node.op} of tensors")
        largest = "1.7976931348623157e308" if self.double else "3.40282346638528859812e38f"
        return ELEMENT_OPS[node.op].format(*map(self._name, node.args), f=self._f(), largest=largest)

    def _name(self, at: int) -> str:
        node = self.plan.graph.nodes[at]
        if node.op == "const":
            if not math.isfinite(node.data):
                sign = "-" if node.data < 0 else ""
                return '(C)__builtin_nan("")' if math.isnan(node.data) else f"({sign}(C)__builtin_inf())"
            return f"(C){node.data!r}"
        return f"h{self.rows[at]}" if at in self.rows else f"v{at}"

    def _sums(self, at: int) -> bool:
        return self.plan.graph.nodes[at].op == "sum"

    def _f(self) -> str:
        return "" if self.double else "f"


def _c(name: str) -> str:
    return name.replace(".", "_")
