"""The host program of a step: its scalars, computed in double once for each age of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gradwright.engine.graph.graph import Graph
from gradwright.engine.ops import OPERATIONS

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
    scope: dict[str, Any] = {"ops": {op: operation.host for op, operation in OPERATIONS.items()}}
    exec(compile(source, "<host program>", "exec"), scope)
    return scope["program"]
