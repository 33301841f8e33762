"""The host program of a plan: its scalars, computed in double once for each age of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gradwright.engine.graph import Graph


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


HOST_OPS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": _divide,
    "pow": _power,
    "mod": _remainder,
    "neg": lambda x: -x,
    "abs": abs,
    "sqrt": _sqrt,
    "exp": _exp,
    "log": _log,
    "log1p": _log1p,
    "softplus": _softplus,
    "sigmoid": lambda x: 1.0 / (1.0 + _exp(-x)),
    "atan2": math.atan2,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "maximum": _maximum,
    "minimum": _minimum,
    "where": lambda c, x, y: x if c else y,
    "isnan": math.isnan,
    "isfinite": math.isfinite,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "and": lambda x, y: x and y,
    "or": lambda x, y: x or y,
    "not": lambda x: not x,
}
"""Each operation on doubles, with the answers that torch gives at the edges instead of Python's exceptions."""

_INLINE = {"add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "neg": "-{}", "gt": "{} > {}", "lt": "{} < {}"}


def compile_host(graph: Graph, outputs: Sequence[int], inputs: Sequence[str]) -> Callable[..., tuple[Any, ...]]:
    """A Python function from the values of ``inputs`` to those of ``outputs``."""
    where = {name: index for index, name in enumerate(inputs)}
    lines = []
    for at in graph.needed(outputs):
        op, args, data, _ = graph.nodes[at]
        if op == "const":
            lines.append(f"v{at} = {data!r}" if math.isfinite(data) else f"v{at} = float('{data}')")
        elif op == "input":
            lines.append(f"v{at} = x[{where[data]}]")
        elif op in _INLINE:
            lines.append(f"v{at} = " + _INLINE[op].format(*(f"v{arg}" for arg in args)))
        else:
            lines.append(f"v{at} = ops[{op!r}]({', '.join(f'v{arg}' for arg in args)})")
    answer = ", ".join(f"v{at}" for at in outputs)
    source = (
        "def program(x):\n"
        + "".join(f"    {line}\n" for line in lines)
        + f"    return ({answer}{',' if outputs else ''})\n"
    )
    scope: dict[str, Any] = {"ops": HOST_OPS}
    exec(compile(source, "<host program>", "exec"), scope)
    return scope["program"]
