"""Programs of recipes and of single expressions, without a compiler."""

from __future__ import annotations

from typing import Any

from gradwright.core import HostScalar, ParamSpec
from gradwright.engine.graph.symbol import Symbol, Tracer
from gradwright.engine.graph.trace import Trace, trace
from gradwright.engine.operand import ELEMENT
from gradwright.engine.plan import planned
from gradwright.engine.program import Program


def trace_of(recipe: Any, shape: tuple[int, ...] = (6, 4), step: float = 2.0, **knobs: Any) -> Trace:
    """The trace of a recipe on one tensor."""
    chain, spec = recipe.chain(**knobs), ParamSpec(shape)
    numbers = {key: slot.start for key, slot in chain.slots(spec).items() if isinstance(slot, HostScalar)}
    return trace(chain, spec, {**chain.knobs(), **numbers, "step": step, "clock": step})


def program_of(recipe: Any, shape: tuple[int, ...] = (6, 4), step: float = 2.0, **knobs: Any) -> Program:
    """The program of a recipe on one tensor."""
    return planned(trace_of(recipe, shape, step, **knobs), ParamSpec(shape))


def tracer(shape: tuple[int, ...] = (6, 4), **numbers: float) -> Tracer:
    return Tracer(numbers, shape)


def element(of: Tracer, name: str = "grad") -> Symbol:
    return of.symbol(name, ELEMENT)


def op_of(found: Symbol) -> tuple[Any, ...]:
    """A symbol as nested tuples: the operation, then its arguments; inputs by name, constants by value."""
    nodes = found.tracer.graph.nodes

    def spelled(at: int) -> Any:
        node = nodes[at]
        return node.data if node.op in ("input", "const") else (node.op, *map(spelled, node.args))

    return spelled(found.node)
