"""What every C++ kernel begins with, and the arguments by which Python and the kernel know each other."""

from __future__ import annotations

import torch

CHUNK = 16384
"""Entries in a chunk, the unit that threads share out; a reduction's order depends on it and on nothing else."""
BLOCK = 2048
"""Entries that a reduction adds in single precision before it goes on in double."""

STORED = {torch.float32: "float", torch.float64: "double", torch.bfloat16: "bf16", torch.float16: "half"}

COUNTS = ("tensors", "chunks", "threads", "row_total", "column_total", "longest", "cells")
BUFFERS = {
    "chunk": "const i64*",  # for each chunk: its tensor, first entry, number of entries
    "first": "const i64*",  # the first chunk of each tensor, and the end of the last behind
    "table": "void* const*",  # pointers: tables x tensors
    "scalars": "const C*",  # host values: tensors x values
    "single_table": "void* const*",  # pointers to state of one number: singles x tensors
    "single": "C*",  # what stood there before the step: singles x tensors
    "partial": "double*",  # reductions to one number: reductions x chunks
    "dims": "const i64*",  # for each tensor: rows, columns, and where its rows and columns begin among all
    "vector_table": "void* const*",  # pointers to state by row or column: vectors x tensors
    "row_partial": "C*",  # reductions to rows: reductions x row_total
    "column_partial": "C*",  # reductions to columns, a vector a chunk: reductions x cells
    "chunk_cell": "const i64*",  # where the vector of each chunk begins
    "scratch": "C*",  # threads x vectors x longest
    "staging": "C*",  # new state by row or column, until everybody has read the old
}
"""The arguments of a kernel, in order: counts and buffers."""

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
// A NaN of either is kept. Written with || the comparisons become branches, and no loop around them is vectorised.
template <class T> static inline T larger(T x, T y) { const T z = x <= y ? y : x; return y != y ? y : z; }
template <class T> static inline T smaller(T x, T y) { const T z = x >= y ? y : x; return y != y ? y : z; }
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
