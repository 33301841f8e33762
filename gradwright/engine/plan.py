"""Plan: cut a traced graph into sweeps over the data, each ending where a reduction must be complete."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace

from gradwright.engine.graph import ELEMENT, HOST, OPAQUE, REDUCTIONS, SHARED, TENSOR, Graph, Node
from gradwright.engine.symbol import Untraceable, sum_keys
from gradwright.engine.trace import Trace


@dataclass(frozen=True)
class Plan:
    """What one kernel does for one tensor.

    Attributes:
        graph: all values.
        host: the host and shared nodes that the kernel takes as scalars, one row a tensor.
        tables: the full-size tensors it touches, by name: ``param``, ``grad``, slots, and ``@link`` for what an opaque
            link made.
        vectors: slots with one number of each row or column, by name, with their kinds.
        singles: slots with one number of each tensor, and the parts of totals that it hands over.
        sweeps: for each sweep but the last, the reductions it completes.
        stores: the values that are written, by name; for ``param`` the value to subtract from it.
        numbers: the new value of each Number, a host node.
        shared: the new value of each shared slot, a shared node.
        split: how many leading dimensions are the rows, where rows or columns occur.
        feeds: the opaque link for which it prepares the table ``@``, if it is not the kernel that ends the step.
        asks: the totals whose parts it hands over, if it is not the kernel that ends the step: name and keys of the
            parts, which are ``singles`` in double.
        early: full-size stores that are written before the last sweep, with their sweeps.
    """

    graph: Graph
    host: tuple[int, ...]
    tables: tuple[str, ...]
    vectors: dict[str, int]
    singles: tuple[str, ...]
    sweeps: tuple[tuple[int, ...], ...]
    stores: dict[str, int]
    numbers: dict[str, int]
    shared: dict[str, int]
    split: int | None
    feeds: str | None
    asks: dict[str, tuple[str, ...]]
    early: dict[str, int] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The index of the last sweep, which writes all that is not written early."""
        return len(self.sweeps)

    @property
    def reductions(self) -> list[int]:
        """The reductions that need a sweep, in the order of their sweeps."""
        return [at for sweep in self.sweeps for at in sweep]

    def nodes(self, sweep: int) -> list[int]:
        """What a sweep computes: back to inputs, host scalars and reductions that an earlier sweep finished."""
        nodes = self.graph.nodes
        wanted = [at for name, at in self.stores.items() if self.early.get(name, self.last) == sweep]
        if sweep < self.last:
            wanted += [nodes[at].args[0] for at in self.sweeps[sweep]]
        return [at for at in reached(self.graph, wanted, set(self.reductions)) if nodes[at].kind >= TENSOR]

    def reads(self, sweep: int) -> list[str]:
        """The tables that a sweep reads."""
        tables = (table_of(self.graph.nodes[at]) for at in self.nodes(sweep))
        found = [table for table in tables if table is not None]
        subtracts = "param" in self.writes(sweep) and "param" not in found
        return [*found, "param"] if subtracts else found

    def writes(self, sweep: int) -> list[str]:
        """The tables that a sweep writes."""
        return [name for name in self.stores if name in self.tables and self.early.get(name, self.last) == sweep]

    @property
    def traffic(self) -> dict[str, int]:
        """How many times each table is read or written."""
        every = range(self.last + 1)
        touched = [name for sweep in every for name in (*self.reads(sweep), *self.writes(sweep))]
        return {name: touched.count(name) for name in self.tables}


def table_of(node: Node) -> str | None:
    """The table in which a full-size input is found."""
    if node.op == OPAQUE:
        return f"@{node.data}"
    return node.data if node.op == "input" and node.kind == ELEMENT else None


def plans(trace: Trace) -> list[Plan]:
    """The kernels of a step, in order: those that ask for totals, one before each opaque link, the one that writes.

    Within a kernel, a sweep reads its inputs anew and recomputes what it needs, so nothing is written that a later
    sweep reads: there is no hazard between sweeps.

    Raises:
        Untraceable: a total depends on what an opaque link makes.
    """
    graph = trace.graph
    stores = {"param": trace.update}
    numbers: dict[str, int] = {}
    shared: dict[str, int] = {}
    for key, at in trace.state.items():
        kind = trace.kinds[key]
        (numbers if kind == HOST else shared if kind == SHARED else stores)[key] = at
    opaque = [at for at in graph.needed(stores.values()) if graph.nodes[at].op == OPAQUE]
    asking = [
        _plan(trace, {key: at for name in names for key, at in _parts(trace, name)}, asks=names)
        for names in _rounds(trace)
    ]
    first = [_plan(trace, {"@": graph.nodes[at].args[0]}, feeds=graph.nodes[at].data) for at in opaque]
    return [*asking, *first, _plan(trace, stores, numbers, shared)]


def _parts(trace: Trace, total: str) -> list[tuple[str, int]]:
    parts = trace.totals[total]
    return list(zip(sum_keys(total, len(parts)), parts))


def _rounds(trace: Trace) -> list[list[str]]:
    """Totals in order, those together that can be asked for before any of them is known."""
    rounds: list[list[str]] = []
    unknown: set[str] = set()
    for name, parts in trace.totals.items():
        needed = [trace.graph.nodes[at] for at in trace.graph.needed(parts)]
        if any(node.op == OPAQUE for node in needed):
            raise Untraceable(f"the total {name!r} of what plain torch makes")
        if not rounds or unknown & {node.data for node in needed if node.op == "input"}:
            rounds.append([])
            unknown.clear()
        rounds[-1].append(name)
        unknown.update(key for key, _ in _parts(trace, name))
    return rounds


def _plan(
    trace: Trace,
    stores: dict[str, int],
    numbers: dict[str, int] | None = None,
    shared: dict[str, int] | None = None,
    feeds: str | None = None,
    asks: Iterable[str] = (),
) -> Plan:
    graph, nodes = trace.graph, trace.graph.nodes
    live = reached(graph, stores.values())
    level: dict[int, int] = {}
    for at in live:
        before = max((level[arg] for arg in nodes[at].args if arg in level), default=0)
        level[at] = before + _needs_sweep(graph, at)
    last = max((level[at] for at in stores.values()), default=0)
    sweeps = tuple(
        tuple(at for at in live if _needs_sweep(graph, at) and level[at] == sweep + 1) for sweep in range(last)
    )
    used = {arg for at in live if nodes[at].kind >= TENSOR and nodes[at].op != OPAQUE for arg in nodes[at].args}
    host = sorted(at for at in used | set(stores.values()) if nodes[at].kind <= SHARED and nodes[at].op != "const")
    inputs = {nodes[at].data for at in live if nodes[at].op == "input"}
    touched = [key for key in trace.slots if key in inputs or key in stores]
    vectors = {key: trace.kinds[key] for key in touched if TENSOR < trace.kinds[key] < ELEMENT}
    asked = {name: tuple(key for key, _ in _parts(trace, name)) for name in asks}
    handed = tuple(key for keys in asked.values() for key in keys)
    singles = (*(key for key in touched if trace.kinds[key] == TENSOR), *handed)
    read = [table for at in live if (table := table_of(nodes[at])) is not None]
    written = [name for name in stores if name not in vectors and name not in singles]
    tables = tuple(dict.fromkeys([*(["param"] if "param" in stores else []), *read, *written]))
    split = trace.split if any(TENSOR < nodes[at].kind < ELEMENT for at in live) else None
    plan = Plan(
        graph, tuple(host), tables, vectors, singles, sweeps, stores, numbers or {}, shared or {}, split, feeds, asked
    )
    return _hastened(plan, {name: level[at] for name, at in stores.items() if name in tables})


def _hastened(plan: Plan, ready: dict[str, int]) -> Plan:
    """Write what is ``ready`` before the last sweep there, where no later sweep reads it and memory traffic is saved.

    SM3 is done with the weights in the sweep that finds the new maxima, and the last sweep need not touch a tensor.
    """
    for name, sweep in ready.items():
        if sweep < plan.last:
            trial = replace(plan, early={**plan.early, name: sweep})
            later = {table for at in range(sweep + 1, plan.last + 1) for table in trial.reads(at)}
            if name not in later and sum(trial.traffic.values()) < sum(plan.traffic.values()):
                plan = trial
    return plan


def _needs_sweep(graph: Graph, at: int) -> bool:
    """Whether a node can only be known after a pass over the data: sums over rows or columns alone need none."""
    node = graph.nodes[at]
    return node.op in REDUCTIONS and graph.nodes[node.args[0]].kind == ELEMENT


def reached(graph: Graph, targets: Iterable[int], done: Container[int] = ()) -> list[int]:
    """What ``targets`` depend on, in order, not looking behind opaque links and what is ``done``."""
    return graph.needed(targets, lambda at: graph.nodes[at].op == OPAQUE or at in done)
