"""What every printed Triton module begins with: sizes, and functions that kernels call."""

from __future__ import annotations

from gradwright.core.blockwise import GROUP
from gradwright.engine.triton.formats import FORMATS

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


def prelude(interpreted: bool, formats: bool = False) -> str:
    """The beginning of a module, for a GPU or for Triton's interpreter, with other formats than plain ones or not."""
    sizes = {"BLOCK": BLOCK, "HEIGHT": HEIGHT, "WIDTH": WIDTH, "FOLD": FOLD, "SPAN": 128, "DEEP": 16}
    sizes |= {"GROUP": GROUP} if formats else {}
    lines = "".join(f"{name} = tl.constexpr({value})\n" for name, value in sizes.items())
    bfloat16 = _BFLOAT16_BY_INTEGERS if interpreted else _BFLOAT16
    return _HEAD + lines + _FUNCTIONS + bfloat16 + (FORMATS if formats else "")


_HEAD = '''\
"""A step of an optimizer, printed by gradwright."""

import triton
import triton.language as tl

'''

_FUNCTIONS = """

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
    # of NaN it is 0, as in torch
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


@triton.jit
def log1p(x):
    # what 1 + x loses by rounding is made good by the ratio, whose errors cancel
    u = 1.0 + x
    v = u - 1.0
    y = tl.log(u) * (x / tl.where(v == 0, 1.0, v))
    return tl.where(v == 0, x, tl.where((x == float("inf")) | (x <= -1), tl.log(u), y))


@triton.jit
def softplus(x):
    return tl.where(x != x, x, tl.where(x > 0, x, 0.0) + log1p(tl.exp(-tl.abs(x))))


@triton.jit
def atan2(y, x):
    # in single precision, by a polynomial; 0 / 0 is 0 and infinity / infinity is 1
    p = tl.abs(y)
    q = tl.abs(x)
    low = tl.where(p < q, p, q)
    high = tl.where(p < q, q, p)
    a = tl.where(high == 0, 0.0, tl.where(low == float("inf"), 1.0, low / tl.where(high == 0, 1.0, high)))
    s = a * a
    k = -0.001793593866750598 * s + 0.010914481244981289
    k = k * s - 0.031177612021565437
    k = k * s + 0.05795735865831375
    k = k * s - 0.08403436839580536
    k = k * s + 0.10952181369066238
    k = k * s - 0.14264240860939026
    k = k * s + 0.19998548924922943
    k = k * s - 0.33333298563957214
    r = a + a * (s * k)
    r = tl.where(p > q, 1.5707963705062866 - r, r)
    r = tl.where(x.to(tl.int32, bitcast=True) < 0, 3.1415927410125732 - r, r)
    r = tl.where(y.to(tl.int32, bitcast=True) < 0, -r, r)
    return tl.where((x != x) | (y != y), x + y, r)


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
    d = tl.zeros([DEEP, i.shape[0]], tl.float64)
    for q in range(0, count, DEEP):
        k = q + tl.arange(0, DEEP)
        m = (k < count)[:, None] & inside[None, :]
        d = d + tl.load(at + k[:, None] * length + i[None, :], mask=m, other=0.0).to(tl.float64)
    return tl.sum(d, 0)


@triton.jit
def largest_row(at, length, count, i, inside):
    d = tl.full([DEEP, i.shape[0]], float("-inf"), tl.float64)
    for q in range(0, count, DEEP):
        k = q + tl.arange(0, DEEP)
        m = (k < count)[:, None] & inside[None, :]
        d = larger(d, tl.load(at + k[:, None] * length + i[None, :], mask=m, other=float("-inf")).to(tl.float64))
    return largest(d, 0)
"""

_BFLOAT16 = """

@triton.jit
def bfloat16(x):
    return x.to(tl.bfloat16)
"""

_BFLOAT16_BY_INTEGERS = """

@triton.jit
def bfloat16(x):
    # to nearest even, which is not how the interpreter converts
    b = x.to(tl.float32).to(tl.uint32, bitcast=True)
    b = tl.where(x != x, 0x7FC00000, b + 0x7FFF + ((b >> 16) & 1))
    return (b >> 16).to(tl.uint16).to(tl.bfloat16, bitcast=True)
"""
