"""Plan: cut a traced graph into phases, each sweep as early as its inputs are known."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from gradwright.core import ParamSpec, Slot
from gradwright.core.blockwise import first_of_row
from gradwright.core.storage import Plain
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.graph.trace import Trace
from gradwright.engine.operand import (
    ELEMENT,
    HOST,
    SHARED,
    TENSOR,
    Folding,
    Operand,
    Source,
    summed_in,
    taken_by,
)
from gradwright.engine.ops import OPAQUE, REDUCTIONS
from gradwright.engine.program import Opaque, Phase, Program, Reduce, Sweep, reached, table_of


def planned(trace: Trace, spec: ParamSpec, maximize: bool = False) -> Program:
    """The program of a traced step on parameters of ``spec``.

    Raises:
        Untraceable: a total depends on what an opaque link makes.
    """
    return _Planner(trace, spec, maximize).program()


class _Planner:
    """Finds the first sweep in which each value can be computed, and from that the phases."""

    def __init__(self, trace: Trace, spec: ParamSpec, maximize: bool) -> None:
        self.trace, self.spec, self.maximize = trace, spec, maximize
        self.graph, self.nodes = trace.graph, trace.graph.nodes
        self.numbers: dict[str, int] = {}
        self.shared: dict[str, int] = {}
        self.results = {"param": trace.update}
        for key, at in trace.state.items():
            kind = trace.kinds[key]
            (self.numbers if kind == HOST else self.shared if kind == SHARED else self.results)[key] = at
        self.opaque = [at for at in self.graph.needed(self.results.values()) if self.nodes[at].op == OPAQUE]
        self.ready: dict[str, int] = {}
        """The first sweep that knows the sums of a total, by input."""
        self.sweep_of: dict[int, int] = {}
        self.asked: dict[int, dict[str, tuple[str, ...]]] = {}
        """The totals whose parts each sweep hands over."""
        self.parts: dict[str, int] = {}
        for names in _rounds(trace):
            self._ask(names)
        self.from_here_on = max(self.asked, default=-1) + 1
        self.feeds = {self.nodes[at].data: self.nodes[at].args[0] for at in self.opaque}

    def _ask(self, names: list[str]) -> None:
        """Hand over the parts of totals as soon as they are known, but no sooner than those asked for before."""
        parts = {key: at for name in names for key, at in _parts(self.trace, name)}
        sweep = max(max(self._first(at) for at in parts.values()), max(self.asked, default=-1) + 1)
        self.asked[sweep] = {name: tuple(key for key, _ in _parts(self.trace, name)) for name in names}
        self.ready |= dict.fromkeys(parts, sweep + 1)
        self.parts |= parts

    def _first(self, at: int) -> int:
        """The first sweep in which a value can be computed."""
        for one in self.graph.needed([at], self.sweep_of.__contains__):
            if one not in self.sweep_of:
                node = self.nodes[one]
                before = max((self.sweep_of[arg] for arg in node.args), default=self.ready.get(node.data, 0))
                if node.op == OPAQUE:
                    before = max(before, self.from_here_on) + 1
                self.sweep_of[one] = before + self._needs_sweep(one)
        return self.sweep_of[at]

    def _needs_sweep(self, at: int) -> bool:
        """Whether a node can only be known after a pass over the data: sums over rows or columns alone need none."""
        node = self.nodes[at]
        return node.op in REDUCTIONS and self.nodes[node.args[0]].kind == ELEMENT

    def program(self) -> Program:
        feeds = {link: max(self._first(at), self.from_here_on) for link, at in self.feeds.items()}
        interrupted = max((*self.asked, *feeds.values()), default=-1)
        first = {name: self._first(at) for name, at in self.results.items()}
        last = max(interrupted + 1, *first.values())
        stores: list[dict[str, int]] = [{} for _ in range(last + 1)]
        for sweep, totals in self.asked.items():
            stores[sweep].update({key: self.parts[key] for keys in totals.values() for key in keys})
        for link, sweep in feeds.items():
            stores[sweep][taken_by(link)] = self.feeds[link]
        stores[last].update(self.results)
        live = reached(self.graph, [at for one in stores for at in one.values()])
        live = sorted({*live, *self.graph.needed([self.nodes[at].args[0] for at in self.opaque])})
        waiting = [at for at in live if self._needs_sweep(at)]
        reductions = [tuple(at for at in waiting if self._first(at) == sweep + 1) for sweep in range(last + 1)]
        phases: list[Phase] = []
        for sweep in range(last + 1):
            phases.append(Sweep(reductions[sweep], stores[sweep]))
            if reductions[sweep] or sweep in self.asked:
                phases.append(Reduce(reductions[sweep], self.asked.get(sweep, {})))
            phases += [Opaque(link) for link, at in feeds.items() if at == sweep]
        made = Program(
            self.graph,
            tuple(phases),
            self._operands(live, stores),
            self._host(live, stores),
            self.numbers,
            self.shared,
            self._folding(live),
            self.spec.computing_dtype,
            self.maximize,
        )
        if made.folding is not None and made.grouped:
            self._refuse_groups_across_rows(made.folding)
        soon = {name: at for name, at in first.items() if interrupted < at < last}
        return _hastened(made, soon)

    def _folding(self, live: list[int]) -> Folding | None:
        """None where nothing asks for rows."""
        folding = self.trace.folding
        asked = any(TENSOR < self.nodes[at].kind < ELEMENT for at in live)
        return folding if asked or (folding is not None and folding.blocks > 1) else None

    def _refuse_groups_across_rows(self, folding: Folding) -> None:
        """Kernels take a matrix row by row, so that numbers which share a scale must be of one row."""
        shape = self.spec.shape
        if folding.sizes(shape)[1] < math.prod(shape[first_of_row(shape) :]):
            raise Untraceable("numbers that share a scale and are of several rows")

    def _host(self, live: list[int], stores: list[dict[str, int]]) -> tuple[int, ...]:
        nodes = self.nodes
        used = {arg for at in live if nodes[at].kind >= TENSOR and nodes[at].op != OPAQUE for arg in nodes[at].args}
        used |= {at for one in stores for at in one.values()}
        return tuple(sorted(at for at in used if nodes[at].kind <= SHARED and nodes[at].op != "const"))

    def _operands(self, live: list[int], stores: list[dict[str, int]]) -> tuple[Operand, ...]:
        """Everything that is read or written: the parameter first, then in order of use."""
        trace, computing = self.trace, Plain(self.spec.computing_dtype)
        read = [table for at in live if (table := table_of(self.nodes[at])) is not None]
        inputs = {self.nodes[at].data for at in live if self.nodes[at].op == "input"}
        written = [name for one in stores for name in one]
        touched = [key for key in trace.slots if key in inputs or key in written]
        found: dict[str, Operand] = {}
        for name in dict.fromkeys(["param", *read, *written, *touched]):
            slot = trace.slots.get(name)
            if slot is not None:
                if isinstance(slot, Slot) and trace.kinds[name] >= TENSOR:
                    found[name] = Operand(name, Source.STATE, trace.kinds[name], slot.storage_for(self.spec))
            elif name in ("param", "grad"):
                own = self.spec.weights if name == "param" else Plain(self.spec.dtype)
                found[name] = Operand(name, Source[name.upper()], ELEMENT, own)
            elif name in self.parts:
                found[name] = Operand(name, Source.SUM, TENSOR, Plain(torch.float64))
            else:
                found[name] = Operand(name, Source.BETWEEN, ELEMENT, computing)
        return tuple(found.values())


def _parts(trace: Trace, total: str) -> list[tuple[str, int]]:
    parts = trace.totals[total]
    return list(zip(summed_in(total, len(parts)), parts))


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


def _hastened(program: Program, ready: dict[str, int]) -> Program:
    """Write what is ``ready`` before the last sweep there, where no later sweep reads it and memory traffic is saved.

    SM3 is done with the weights in the sweep that finds the new maxima, and the last sweep need not touch a tensor.
    """
    for name, sweep in ready.items():
        if program.operand(name).kind != ELEMENT:
            continue
        trial = _moved(program, name, sweep)
        later = {table for at in range(sweep + 1, trial.last + 1) for table in trial.reads(at)}
        if name not in later and sum(trial.traffic.values()) < sum(program.traffic.values()):
            program = trial
    return program


def _moved(program: Program, name: str, sweep: int) -> Program:
    """The same program, with one store in another sweep."""
    old, new = program.sweeps[program.last], program.sweeps[sweep]
    kept = replace(old, stores={key: at for key, at in old.stores.items() if key != name})
    earlier = replace(new, stores={**new.stores, name: old.stores[name]})
    changed = {id(old): kept, id(new): earlier}
    return replace(program, phases=tuple(changed.get(id(phase), phase) for phase in program.phases))
