"""Trace: run a chain's update on symbols once and keep the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gradwright.core import Chain, Context, Number, ParamSpec, Slot
from gradwright.core.transform import Transform, walk
from gradwright.engine.graph import ELEMENT, HOST, SHARED, TENSOR, Graph
from gradwright.engine.symbol import Symbol, Tracer, Untraceable


@dataclass
class Trace:
    """What one step of one tensor computes.

    Attributes:
        graph: all values.
        update: the node to subtract from the parameter.
        state: the new value of every slot and Number that changes, by key.
        guards: host nodes on which Python decided, and what they were.
        start: slots that this step fills from the parameter.
    """

    graph: Graph
    update: int
    state: dict[str, int]
    guards: dict[int, bool | float]
    slots: dict[str, Slot | Number] = field(default_factory=dict)


def trace(chain: Chain, spec: ParamSpec, numbers: dict[str, float]) -> Trace:
    """The graph of ``chain`` on a parameter of ``spec``.

    Args:
        numbers: the present value of every host input: knobs by dotted name, ``step``, ``clock`` and Numbers by
            key. They decide Python's ``if``; everything else holds for all values.

    Raises:
        Untraceable: something has no word in the graph.
    """
    tracer = Tracer(numbers)
    slots = chain.slots(spec)
    param, grad = tracer.symbol("param", ELEMENT), tracer.symbol("grad", ELEMENT)
    first = numbers["step"] == 1
    state = {key: _state_symbol(tracer, key, slot, param, first) for key, slot in slots.items()}
    step, clock = tracer.symbol("step", HOST), tracer.symbol("clock", HOST)
    if any(getattr(slot, "start", None) == "param" for slot in slots.values()):
        bool(step == 1)
    loss = tracer.symbol("loss", SHARED) if "loss" in chain.all_needs else None
    ctx = Context(param, grad, step, clock, loss, spec)  # type: ignore[arg-type]
    symbolic = chain.map_knobs(lambda name, value: tracer.symbol(name, HOST))
    u, after = _run(symbolic, grad, state, ctx)
    changed = {}
    for key, value in after.items():
        slot = slots[key]
        starts = first and isinstance(slot, Slot) and slot.start == "param"
        if value is not state[key] or starts:
            node = tracer.wrap(value)
            _check_kind(tracer, key, slot, node)
            changed[key] = node
    return Trace(tracer.graph, tracer.wrap(u), changed, tracer.guards, slots)


def _run(chain: Transform, u: Any, state: dict[str, Any], ctx: Context) -> tuple[Any, dict[str, Any]]:
    walker = walk(chain, u, state, ctx)
    try:
        total = next(walker)
    except StopIteration as end:
        return end.value[0], end.value[1]
    raise Untraceable(f"the total {total.name!r}")


def _state_symbol(tracer: Tracer, key: str, slot: Slot | Number, param: Symbol, first: bool) -> Symbol:
    if isinstance(slot, Number):
        return tracer.symbol(key, HOST)
    if slot.shared:
        return tracer.symbol(key, SHARED)
    if slot.start == "param" and first:
        return param
    if slot.full_size:
        if slot.dtype is not None and not slot.dtype.is_floating_point:
            raise Untraceable(f"the {slot.dtype} state {key!r}")
        return tracer.symbol(key, ELEMENT)
    if slot.keep == ():
        return tracer.symbol(key, TENSOR)
    raise Untraceable(f"the state {key!r}, which keeps some dimensions")


def _check_kind(tracer: Tracer, key: str, slot: Slot | Number, node: int) -> None:
    kind = tracer.graph.nodes[node].kind
    allowed = HOST if isinstance(slot, Number) else SHARED if slot.shared else TENSOR if slot.keep == () else ELEMENT
    if kind > allowed:
        raise Untraceable(f"the state {key!r} computed from larger tensors than its own")
