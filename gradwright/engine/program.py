"""Program: a chain on one kind of tensor, traced, planned and compiled; kept for the process."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from typing import Any

from gradwright.core import Chain, Number, ParamSpec, Slot
from gradwright.engine.bucket import Kernel
from gradwright.engine.gpu_bucket import DeviceKernel
from gradwright.engine.host import compile_host
from gradwright.engine.layout import layout_of
from gradwright.engine.plan import plans
from gradwright.engine.symbol import Untraceable
from gradwright.engine.trace import trace

KERNELS: dict[str, type[Kernel] | type[DeviceKernel]] = {"cpp": Kernel, "triton": DeviceKernel}
"""What each engine makes of a plan."""


MOST_PROGRAMS = 8
"""A chain that decides otherwise more often than this runs on plain torch; cycles and first steps need a few."""


class Program:
    """The kernels of a step with the host program that feeds them, valid while its guards hold.

    Attributes:
        kernels: those that ask for totals, one before each opaque link, and the one that ends the step.
        asking: those that ask for totals.
        inputs: the host inputs, in the order in which ``scalars`` takes them; the sums of totals are the last.
        sums: the keys of the sums of totals.
        scalars: from host inputs to each kernel's row, then the new Numbers, then the new shared values.
        begins: where each kernel's row begins among them.
        split: how many leading dimensions are rows, where a kernel sees a matrix.
    """

    def __init__(self, kernels: Sequence[Any], inputs: tuple[str, ...], guards: dict[int, Any]) -> None:
        self.kernels = tuple(kernels)
        self.asking = tuple(kernel for kernel in kernels if kernel.plan.asks)
        self.sums = tuple(key for kernel in self.asking for keys in kernel.plan.asks.values() for key in keys)
        self.inputs = inputs = (*inputs, *self.sums)
        last = self.kernels[-1].plan
        self.numbers, self.shared = tuple(last.numbers), tuple(last.shared)
        self.split = next((kernel.plan.split for kernel in kernels if kernel.plan.split is not None), None)
        outputs = [at for kernel in kernels for at in kernel.row]
        self.begins = tuple(sum(len(other.row) for other in kernels[:k]) for k in range(len(kernels)))
        outputs += [*last.numbers.values(), *last.shared.values()]
        self.scalars = compile_host(last.graph, outputs, inputs)
        self._decide = compile_host(last.graph, list(guards), inputs) if guards else None
        self._decided = tuple(guards.values())
        self.guarded = bool(guards)

    def holds(self, values: tuple[float, ...]) -> bool:
        """Whether Python would decide as it did when this program was traced."""
        return self._decide is None or self._decide(values) == self._decided


class Family:
    """All programs of a chain on one kind of tensor: one for each outcome of its guards."""

    def __init__(self, chain: Chain, spec: ParamSpec, maximize: bool, engine: str) -> None:
        self.chain, self.spec, self.maximize, self.engine = chain, spec, maximize, engine
        slots = chain.slots(spec)
        self.numbers = tuple(key for key, slot in slots.items() if isinstance(slot, Number))
        self.shared = tuple(key for key, slot in slots.items() if isinstance(slot, Slot) and slot.shared)
        loss = ("loss",) if "loss" in chain.all_needs else ()
        self.inputs = (*chain.knobs(), "step", "clock", *self.numbers, *self.shared, *loss)
        self._programs: list[Program] = []
        self._lock = threading.Lock()

    @property
    def guarded(self) -> bool:
        """Whether another step may call for another program."""
        return any(program.guarded for program in self._programs)

    def program(self, values: tuple[float, ...]) -> Program:
        """The program for these host inputs, traced and compiled where it is new.

        Raises:
            Untraceable: the chain has a step that the printer has no word for.
            NoCompiler: there is nothing to compile with.
        """
        for program in self._programs:
            if program.holds(values):
                return program
        if len(self._programs) >= MOST_PROGRAMS:
            raise Untraceable(
                "Python decisions on a step count or a knob that come out anew all the time; plain arithmetic and "
                "gradwright.core.ops decide nothing"
            )
        with self._lock:
            for program in self._programs:
                if program.holds(values):
                    return program
            self._programs.append(self._made(dict(zip(self.inputs, values))))
            return self._programs[-1]

    def _made(self, numbers: dict[str, float]) -> Program:
        traced = trace(self.chain, self.spec, numbers)
        made = plans(traced)
        layouts = [layout_of(self.chain, self.spec, one, self.maximize) for one in made]
        parts = [
            (tuple(one.stores.items()), tuple(one.vectors.items()), one.singles, one.split, tuple(one.asks.items()))
            for one in made
        ]
        graph = tuple(traced.graph.nodes)
        signature = repr((self.engine, graph, parts, layouts, self.inputs, sorted(traced.guards.items())))
        if signature not in _programs:
            kernels = [KERNELS[self.engine](one, layout) for one, layout in zip(made, layouts)]
            _programs[signature] = Program(kernels, self.inputs, traced.guards)
        return _programs[signature]


_programs: dict[Hashable, Program] = {}
_families: dict[Hashable, Family | Untraceable] = {}


def kind_of(chain: Chain, spec: ParamSpec) -> Hashable:
    """What tensors share that ``chain`` treats alike: a name only where a selector asks for names."""
    structure = chain.structure()
    if structure not in _asks_for_names:
        _asks_for_names[structure] = "name:" in repr(structure)
    return structure, spec.shape, spec.dtype, spec.roles, spec.name if _asks_for_names[structure] else ""


_asks_for_names: dict[Hashable, bool] = {}


def family(chain: Chain, spec: ParamSpec, maximize: bool, engine: str) -> Family:
    """The family of ``chain`` on tensors of this kind, on the engine ``"cpp"`` or ``"triton"``."""
    key = (kind_of(chain, spec), maximize, engine)
    found = _families.get(key)
    if found is None:
        found = _families[key] = Family(chain, spec, maximize, engine)
    if isinstance(found, Untraceable):
        raise found
    return found


def give_up(chain: Chain, spec: ParamSpec, maximize: bool, engine: str, why: Untraceable) -> None:
    """Remember that these tensors run on plain torch, so that nobody tries again at every step."""
    _families[(kind_of(chain, spec), maximize, engine)] = why
