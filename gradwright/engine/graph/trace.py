"""Trace: run a chain's update on symbols once and keep the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch

from gradwright.core import Chain, Context, HostScalar, ParamSpec, Slot
from gradwright.core.transform import CONDITION, Transform, UpdateCoroutine, walk
from gradwright.engine.graph.graph import Graph, joined
from gradwright.engine.graph.symbol import Symbol, Tracer, Untraceable
from gradwright.engine.operand import ELEMENT, HOST, SHARED, TENSOR, Folding


@dataclass
class Trace:
    """What one step of one tensor computes.

    Attributes:
        graph: all values.
        update: the node to subtract from the parameter.
        state: the new value of every slot and HostScalar that changes, by key.
        guards: host nodes on which Python decided, and what they were.
        slots: what the chain declares.
        kinds: where each slot lives, as a kind of the graph.
        folding: what the rows are, where rows or columns occur.
        totals: the parts of each total that is asked for, in order; its sums are inputs called by ``summed_in``.
    """

    graph: Graph
    update: int
    state: dict[str, int]
    guards: dict[int, bool | float]
    slots: dict[str, Slot | HostScalar]
    kinds: dict[str, int]
    folding: Folding | None
    totals: dict[str, tuple[int, ...]]


def trace(chain: Chain, spec: ParamSpec, numbers: dict[str, float]) -> Trace:
    """The graph of ``chain`` on a parameter of ``spec``.

    Args:
        numbers: the present value of every host input: knobs by dotted name, ``step``, ``clock`` and host scalars by
            key. They decide Python's ``if``; everything else holds for all values.

    Raises:
        Untraceable: something has no word in the graph.
    """
    tracer = Tracer(numbers, spec.shape)
    slots = chain.slots(spec)
    _refuse_taken_names(chain, slots)
    param, grad = tracer.symbol("param", ELEMENT), tracer.symbol("grad", ELEMENT)
    first = numbers["step"] == 1
    state = {key: _state_symbol(tracer, key, slot, param, first) for key, slot in slots.items()}
    step, clock = tracer.symbol("step", HOST), tracer.symbol("clock", HOST)
    if any(getattr(slot, "start", None) == "param" for slot in slots.values()):
        bool(step == 1)
    loss = tracer.symbol("loss", SHARED) if "loss" in chain.all_needs else None
    ctx = Context(param, grad, step, clock, loss, spec)  # type: ignore[arg-type]
    u, after = _run(chain, tracer, grad, state, ctx)
    changed = {}
    for key, value in after.items():
        slot = slots[key]
        starts = first and isinstance(slot, Slot) and slot.start == "param"
        if value is not state[key] or starts:
            node = tracer.wrap(value)
            _check_kind(tracer, key, slot, node)
            _check_seen(value, getattr(slot, "of", None) or spec.shape, f"the state {key!r}")
            changed[key] = node
    kinds = {key: _slot_kind(tracer, slot) for key, slot in slots.items()}
    update = tracer.wrap(u)
    _check_seen(u, spec.shape, "the update")
    if TENSOR <= tracer.graph.nodes[update].kind < ELEMENT and spec.numel > 1:
        raise Untraceable("an update that is smaller than its tensor")
    return Trace(tracer.graph, update, changed, tracer.guards, slots, kinds, tracer.folding, tracer.totals)


def _run(chain: Chain, tracer: Tracer, u: Any, state: dict[str, Any], ctx: Context) -> tuple[Any, dict[str, Any]]:
    """``Chain.update``, link by link: one that has no word in the graph stands in it as a single opaque value."""
    symbolic = chain.map_knobs(lambda name, value: tracer.symbol(name, HOST))
    for (name, link), at in zip(chain.children().items(), chain.stages):
        assert isinstance(link, Transform)
        try:
            u, state, ctx = _finished(symbolic.run(name, u, state, ctx), tracer)
        except Exception as why:  # a symbol is no tensor: in what is done to it there may be errors of any kind
            if not _stands_alone(link, ctx.spec, tracer.numbers):
                raise why if isinstance(why, Untraceable) else Untraceable(f"{type(why).__name__}: {why}") from why
            u = Symbol(tracer, tracer.graph.opaque(name, tracer.wrap(u)))
        if at == CONDITION:
            ctx = ctx._replace(grad=u)
    return u, state


def _finished(walker: UpdateCoroutine, tracer: Tracer | None = None) -> tuple[Any, dict[str, Any], Context]:
    """What a link's update comes to; its totals become inputs that are known later."""
    answer = None
    while True:
        try:
            total = walker.send(answer)
        except StopIteration as end:
            return end.value
        if tracer is None:
            raise Untraceable(f"the total {total.name!r}")
        answer = tracer.settle(total)


def _stands_alone(link: Transform, spec: ParamSpec, numbers: dict[str, float]) -> bool:
    """Whether a link makes a new update of the update and nothing else, whatever values that has.

    A dry run tells, on a tensor without values and with nothing in the context. Of a tensor with any other link that
    has no word in the graph, the whole step runs as plain torch.
    """
    if link.slots(spec) or link.all_needs:
        return False
    u, absent = torch.empty(spec.shape, dtype=spec.computing_dtype, device="meta"), cast(Any, None)
    ctx = Context(absent, absent, numbers["step"], numbers["clock"], None, spec)
    try:
        answer, _, seen = _finished(walk(link, u, {}, ctx))
        return bool(answer.shape == u.shape) and seen is ctx
    except Exception:
        return False


def _refuse_taken_names(chain: Chain, slots: dict[str, Slot | HostScalar]) -> None:
    """Host inputs are known by name, so a HostScalar or a shared slot cannot share one with a knob."""
    taken = {"step", "clock", "loss", *chain.knobs()}
    for key, slot in slots.items():
        if key in taken and (isinstance(slot, HostScalar) or slot.shared):
            raise Untraceable(f"the state {key!r}, whose name another input has")


def _state_symbol(tracer: Tracer, key: str, slot: Slot | HostScalar, param: Symbol, first: bool) -> Symbol:
    if isinstance(slot, Slot):
        if slot.start == "param" and first:
            return param
        if slot.dtype is not None and not slot.dtype.is_floating_point:
            raise Untraceable(f"the {slot.dtype} state {key!r}")
    return tracer.symbol(key, _slot_kind(tracer, slot), slot.of if isinstance(slot, Slot) else None)


def _slot_kind(tracer: Tracer, slot: Slot | HostScalar) -> int:
    if isinstance(slot, HostScalar):
        return HOST
    if slot.shared:
        return SHARED
    if slot.shape is not None:
        raise Untraceable("a state of a shape of its own")
    if slot.keep is None:
        return ELEMENT
    return tracer.kind_of(slot.keep, slot.of) if slot.keep else TENSOR


def _check_kind(tracer: Tracer, key: str, slot: Slot | HostScalar, node: int) -> None:
    own = _slot_kind(tracer, slot)
    if joined((tracer.graph.nodes[node].kind, own)) != own:
        raise Untraceable(f"the state {key!r} computed from larger values than its own")


def _check_seen(value: Any, shape: tuple[int, ...], what: str) -> None:
    if isinstance(value, Symbol) and value.kind > TENSOR and value.seen != shape:
        raise Untraceable(f"{what}, seen as {value.seen} where it is {shape}")
