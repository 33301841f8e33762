"""Operations: one row for each, with what it is on the host, in torch, in C++, in Triton and in print.

The host's functions answer at the edges as torch does, where Python's own would raise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from gradwright.core.ops import softplus


class Operation(NamedTuple):
    """What an operation on one, two or three values is to each engine.

    Attributes:
        host: on doubles.
        torch: on tensors; the function by which an update calls it, too.
        cpp: an expression, with ``{f}`` for the suffix of single precision and ``{largest}`` for the largest number.
        triton: an expression; where plain Triton would only approximate in single precision, a pair: single, double.
        sign: how it is written between or before its arguments; the operation's name where it is empty.
        asks: whether the answer is yes or no.
        commutes: whether the order of its arguments does not matter.
    """

    host: Callable[..., Any]
    torch: Callable[..., Any]
    cpp: str
    triton: str | tuple[str, str]
    sign: str = ""
    asks: bool = False
    commutes: bool = False


def _divide(x: float, y: float) -> float:
    if y == 0:
        return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1.0, y)
    return x / y


def _power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        pass
    except ValueError:  # of a negative number, unless it is one over zero
        if x != 0:
            return math.nan
    return -math.inf if math.copysign(1.0, x) < 0 and y % 2 == 1 else math.inf


def _remainder(x: float, y: float) -> float:
    return math.nan if y == 0 or math.isinf(x) else x % y


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _log(x: float) -> float:
    return math.log(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def _log1p(x: float) -> float:
    return math.log1p(x) if x > -1 else (-math.inf if x == -1 else math.nan)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x))) if x == x else x


def _maximum(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else max(x, y)


def _minimum(x: float, y: float) -> float:
    return math.nan if math.isnan(x) or math.isnan(y) else min(x, y)


def _sign(x: float) -> float:
    return float((x > 0) - (x < 0))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + _exp(-x))


_ONE = "tl.full((), 1.0, tl.float32)"

OPERATIONS: dict[str, Operation] = {
    "add": Operation(lambda x, y: x + y, torch.add, "{0} + {1}", "{0} + {1}", "+", commutes=True),
    "sub": Operation(lambda x, y: x - y, torch.sub, "{0} - {1}", "{0} - {1}", "−"),
    "mul": Operation(lambda x, y: x * y, torch.mul, "{0} * {1}", "{0} * {1}", commutes=True),
    "div": Operation(_divide, torch.div, "{0} / {1}", ("tl.div_rn({0}, {1})", "{0} / {1}"), "/"),
    "neg": Operation(lambda x: -x, torch.neg, "-{0}", "-{0}", "−"),
    "abs": Operation(abs, torch.abs, "__builtin_fabs{f}({0})", "tl.abs({0})"),
    "sqrt": Operation(_sqrt, torch.sqrt, "__builtin_sqrt{f}({0})", ("tl.sqrt_rn({0})", "tl.sqrt({0})"), "√"),
    "exp": Operation(_exp, torch.exp, "exp_({0})", "tl.exp({0})"),
    "log": Operation(_log, torch.log, "log_({0})", "tl.log({0})"),
    "log1p": Operation(_log1p, torch.log1p, "log1p_({0})", "log1p({0})"),
    "softplus": Operation(_softplus, softplus, "softplus_({0})", "softplus({0})"),
    "sigmoid": Operation(
        _sigmoid,
        torch.sigmoid,
        "sigmoid_({0})",
        (f"tl.div_rn({_ONE}, 1.0 + tl.exp(-{{0}}))", "1.0 / (1.0 + tl.exp(-{0}))"),
    ),
    # of NaN the sign is 0, as in torch
    "sign": Operation(_sign, torch.sign, "((C)({0} > 0) - (C)({0} < 0))", "sign({0})"),
    "atan2": Operation(math.atan2, torch.atan2, "atan2_({0}, {1})", ("atan2({0}, {1})", "")),
    # powers and remainders are host values only
    "pow": Operation(_power, torch.pow, "", ""),
    "mod": Operation(_remainder, torch.remainder, "", ""),
    "maximum": Operation(_maximum, torch.maximum, "larger<C>({0}, {1})", "larger({0}, {1})", "max"),
    "minimum": Operation(_minimum, torch.minimum, "smaller<C>({0}, {1})", "smaller({0}, {1})", "min"),
    "where": Operation(lambda c, x, y: x if c else y, torch.where, "({0} ? {1} : {2})", "tl.where({0}, {1}, {2})"),
    "isnan": Operation(math.isnan, torch.isnan, "({0} != {0})", "{0} != {0}", asks=True),
    "isfinite": Operation(
        math.isfinite, torch.isfinite, "(__builtin_fabs{f}({0}) <= {largest})", "tl.abs({0}) <= {largest}", asks=True
    ),
    "gt": Operation(lambda x, y: x > y, torch.gt, "{0} > {1}", "{0} > {1}", ">", asks=True),
    "ge": Operation(lambda x, y: x >= y, torch.ge, "{0} >= {1}", "{0} >= {1}", "≥", asks=True),
    "lt": Operation(lambda x, y: x < y, torch.lt, "{0} < {1}", "{0} < {1}", "<", asks=True),
    "le": Operation(lambda x, y: x <= y, torch.le, "{0} <= {1}", "{0} <= {1}", "≤", asks=True),
    "eq": Operation(lambda x, y: x == y, torch.eq, "{0} == {1}", "{0} == {1}", "=", asks=True, commutes=True),
    "ne": Operation(lambda x, y: x != y, torch.ne, "{0} != {1}", "{0} != {1}", "≠", asks=True, commutes=True),
    "and": Operation(
        lambda x, y: x and y,
        torch.logical_and,
        "((bool)({0}) & (bool)({1}))",
        "{0} & {1}",
        "and",
        asks=True,
        commutes=True,
    ),
    "or": Operation(
        lambda x, y: x or y,
        torch.logical_or,
        "((bool)({0}) | (bool)({1}))",
        "{0} | {1}",
        "or",
        asks=True,
        commutes=True,
    ),
    "not": Operation(lambda x: not x, torch.logical_not, "!{0}", "{0} == False", asks=True),
}
"""Every operation that works entry by entry; sums and largest entries are :data:`REDUCTIONS`."""

REDUCTIONS: dict[str, Callable[..., Any]] = {"sum": torch.sum, "amax": torch.amax}
"""What takes many entries to one."""

OPAQUE = "opaque"
"""The operation of a link that runs as plain torch; its data is the link's name in the chain."""
