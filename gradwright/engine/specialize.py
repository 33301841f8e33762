"""Specializations: the compiled programs of a chain on one kind of tensor, one for each way that Python decides."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

import torch

from gradwright.core import Chain, HostScalar, ParamSpec, Slot
from gradwright.core.warn import warn_once
from gradwright.engine.backend import Backend
from gradwright.engine.graph.host import compile_host
from gradwright.engine.graph.shards import over_shards
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.graph.trace import trace
from gradwright.engine.plan import planned
from gradwright.engine.program import Program
from gradwright.engine.trial import differs

MOST = 8
"""A chain that decides otherwise more often than this runs on plain torch; cycles and first steps need a few."""

Values = tuple[float, ...]


class Distrusted(Untraceable):
    """Kernels that do not do on a device what plain torch does; the message says what is wrong."""


class Specialization:
    """A compiled program with the host program that feeds it, valid while its guards hold.

    Attributes:
        kernel: what a backend made of the program.
        inputs: the host inputs, in the order in which ``scalars`` takes them; the sums of totals are the last.
        scalars: from host inputs to the kernel's row, then the new host scalars, then the new shared values.
    """

    def __init__(self, backend: Backend, program: Program, inputs: tuple[str, ...], guards: dict[int, Any]) -> None:
        self.program, self.kernel = program, backend.compile(program)
        self.inputs = inputs = (*inputs, *program.sums)
        self.numbers, self.shared = tuple(program.numbers), tuple(program.shared)
        outputs = [*self.kernel.row, *program.numbers.values(), *program.shared.values()]
        self.scalars = compile_host(program.graph, outputs, inputs)
        self._decide = compile_host(program.graph, list(guards), inputs) if guards else None
        self._decided = tuple(guards.values())
        self.guarded = bool(guards)

    def holds(self, values: Values) -> bool:
        """Whether Python would decide as it did when this program was traced."""
        return self._decide is None or self._decide(values) == self._decided


class Specializations:
    """All specializations of a chain on one kind of tensor and one backend; ``cuts`` are those of its layout."""

    def __init__(
        self,
        chain: Chain,
        spec: ParamSpec,
        maximize: bool,
        backend: Backend,
        device: torch.device,
        cuts: frozenset[int] = frozenset(),
    ) -> None:
        self.chain, self.spec, self.maximize, self.backend, self.device = chain, spec, maximize, backend, device
        self.cuts = cuts
        slots = chain.slots(spec)
        self.numbers = tuple(key for key, slot in slots.items() if isinstance(slot, HostScalar))
        self.shared = tuple(key for key, slot in slots.items() if isinstance(slot, Slot) and slot.shared)
        self.needs_loss = "loss" in chain.all_needs
        loss = ("loss",) if self.needs_loss else ()
        self.inputs = (*chain.knobs(), "step", "clock", *self.numbers, *self.shared, *loss)
        self._found: list[Specialization] = []
        self._lock = threading.Lock()

    @property
    def guarded(self) -> bool:
        """Whether another step may call for another program."""
        return any(one.guarded for one in self._found)

    def at(self, values: Values) -> Specialization:
        """The one for these host inputs, traced and compiled where it is new.

        Raises:
            Untraceable: the chain has a step that the printer has no word for.
            NoCompiler: there is nothing to compile with.
        """
        for one in self._found:
            if one.holds(values):
                return one
        if len(self._found) >= MOST:
            raise Untraceable(
                "Python decisions on a step count or a knob that come out anew all the time; plain arithmetic and "
                "gradwright.core.ops decide nothing"
            )
        with self._lock:
            for one in self._found:
                if one.holds(values):
                    return one
            self._found.append(self._made(dict(zip(self.inputs, values))))
            return self._found[-1]

    def _made(self, numbers: dict[str, float]) -> Specialization:
        traced = over_shards(trace(self.chain, self.spec, numbers), self.cuts)
        program = planned(traced, self.spec, self.maximize)
        facts = (program.phases, program.operands, program.host, program.numbers, program.shared, program.folding)
        where = (self.backend.name, self.device) if self.backend.on_trial else (self.backend.name,)
        kind = (where, tuple(program.graph.nodes), facts, program.computing, program.maximize)
        signature = repr((kind, self.inputs, sorted(traced.guards.items())))
        if signature not in _made:
            made = Specialization(self.backend, program, self.inputs, traced.guards)
            if self.backend.on_trial and (why := differs(program, made.kernel, self.device)):
                raise Distrusted(f"the {self.backend.name} kernels on {self.device}, which failed their trial: {why}")
            _made[signature] = made
        return _made[signature]


_made: dict[Hashable, Specialization] = {}
_known: dict[Hashable, Specializations | Untraceable] = {}
_asks_for_names: dict[Hashable, bool] = {}


def kind_of(chain: Chain, spec: ParamSpec) -> Hashable:
    """What tensors share that ``chain`` treats alike: a name only where a selector asks for names."""
    structure = chain.structure()
    if structure not in _asks_for_names:
        _asks_for_names[structure] = "name:" in repr(structure)
    name = spec.name if _asks_for_names[structure] else ""
    return structure, spec.shape, spec.dtype, spec.is_complex, spec.roles, name, spec.policy


def specializations(
    chain: Chain,
    spec: ParamSpec,
    maximize: bool,
    backend: Backend,
    device: torch.device,
    cuts: frozenset[int] = frozenset(),
) -> Specializations:
    """Those of ``chain`` on tensors of this kind, cut along some dimensions; kept for the process.

    Raises:
        Untraceable: it was found before that there are none.
    """
    key = (kind_of(chain, spec), maximize, backend.name, device, cuts)
    found = _known.get(key)
    if found is None:
        found = _known[key] = Specializations(chain, spec, maximize, backend, device, cuts)
    if isinstance(found, Untraceable):
        raise found
    return found


def give_up(kinds: Specializations, why: Untraceable) -> None:
    """Remember that these tensors run on plain torch, so that nobody tries again at every step."""
    if isinstance(why, Distrusted):
        warn_once(f"steps of some parameters run on plain torch, several times slower, instead of {why}")
    _known[(kind_of(kinds.chain, kinds.spec), kinds.maximize, kinds.backend.name, kinds.device, kinds.cuts)] = why
