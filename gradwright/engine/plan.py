"""Plan: cut a traced graph into sweeps over the data, each ending where a reduction must be complete."""

from __future__ import annotations

from dataclasses import dataclass

from gradwright.core import Number, Slot
from gradwright.engine.graph import ELEMENT, REDUCTIONS, SHARED, TENSOR, Graph
from gradwright.engine.trace import Trace


@dataclass(frozen=True)
class Plan:
    """What a kernel does for one tensor.

    Attributes:
        graph: all values.
        host: the host and shared nodes that the kernel takes as scalars, one row a tensor.
        tables: the tensors it touches, by name: ``param``, ``grad`` and slots.
        singles: slots that hold one number of each tensor.
        sweeps: for each sweep but the last, the reductions it completes.
        stores: the new value of ``param`` and of slots, written by the last sweep; ``param`` holds what to subtract.
        numbers: the new value of each Number, a host node.
        shared: the new value of each shared slot, a shared node.
    """

    graph: Graph
    host: tuple[int, ...]
    tables: tuple[str, ...]
    singles: tuple[str, ...]
    sweeps: tuple[tuple[int, ...], ...]
    stores: dict[str, int]
    numbers: dict[str, int]
    shared: dict[str, int]

    @property
    def last(self) -> int:
        """The index of the sweep that writes."""
        return len(self.sweeps)

    @property
    def reductions(self) -> list[int]:
        """All reductions, in the order of their sweeps."""
        return [at for sweep in self.sweeps for at in sweep]

    def nodes(self, sweep: int) -> list[int]:
        """What a sweep computes: back to inputs, host scalars and reductions that an earlier sweep finished."""
        nodes, done = self.graph.nodes, set(self.reductions)
        wanted = list(self.stores.values()) if sweep == self.last else [nodes[at].args[0] for at in self.sweeps[sweep]]
        live: set[int] = set()
        while wanted:
            at = wanted.pop()
            if at not in live and nodes[at].kind >= TENSOR:
                live.add(at)
                wanted.extend(() if at in done else nodes[at].args)
        return sorted(live)

    def reads(self, sweep: int) -> list[str]:
        """The tables that a sweep reads."""
        nodes = (self.graph.nodes[at] for at in self.nodes(sweep))
        found = [node.data for node in nodes if node.op == "input" and node.kind == ELEMENT]
        return found if sweep < self.last or "param" in found else [*found, "param"]

    @property
    def writes(self) -> list[str]:
        """The tables that the last sweep writes."""
        return [name for name in self.stores if name not in self.singles]

    @property
    def traffic(self) -> dict[str, int]:
        """How many times each table is read or written."""
        touched = [name for sweep in range(self.last + 1) for name in self.reads(sweep)] + self.writes
        return {name: touched.count(name) for name in self.tables}


def plan(trace: Trace) -> Plan:
    """Order a trace's values into sweeps.

    A sweep reads its inputs anew and recomputes what it needs, so that only the last one writes: there is no hazard
    between them, and a step is all or nothing.
    """
    graph = trace.graph
    stores, numbers, shared, singles = {"param": trace.update}, {}, {}, []
    for key, at in trace.state.items():
        slot = trace.slots[key]
        if isinstance(slot, Number):
            numbers[key] = at
        elif slot.shared:
            shared[key] = at
        else:
            stores[key] = at
    live = graph.needed(list(stores.values()))
    level: dict[int, int] = {}
    for at in live:
        node = graph.nodes[at]
        level[at] = max((level[arg] for arg in node.args), default=0) + (node.op in REDUCTIONS)
    last = max((level[at] for at in stores.values()), default=0)
    sweeps = tuple(
        tuple(at for at in live if graph.nodes[at].op in REDUCTIONS and level[at] == sweep + 1) for sweep in range(last)
    )
    host: set[int] = {at for at in stores.values() if graph.nodes[at].kind <= SHARED}
    for at in live:
        node = graph.nodes[at]
        if node.kind >= TENSOR:
            host.update(arg for arg in node.args if graph.nodes[arg].kind <= SHARED)
    host = {at for at in host if graph.nodes[at].op != "const"}
    inputs = {graph.nodes[at].data: graph.nodes[at].kind for at in live if graph.nodes[at].op == "input"}
    for key, slot in trace.slots.items():
        if isinstance(slot, Slot) and not slot.shared and slot.keep == () and (key in stores or key in inputs):
            singles.append(key)
    elements = [name for name, kind in inputs.items() if kind == ELEMENT]
    written = [name for name in stores if name not in singles]
    tables = tuple(dict.fromkeys(["param", *elements, *written]))
    return Plan(graph, tuple(sorted(host)), tables, tuple(singles), sweeps, stores, numbers, shared)
