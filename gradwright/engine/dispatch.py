"""Dispatch: a group's parameters sorted by the backend that serves them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from torch import Tensor

from gradwright.engine import eager, rows, select
from gradwright.engine.access import access_to
from gradwright.engine.backend import Backend
from gradwright.engine.batch import TensorBatch
from gradwright.engine.capture import capturing
from gradwright.engine.collective import is_spread, local
from gradwright.engine.graph.symbol import Untraceable
from gradwright.engine.layout import Layout, layout_of, served_apart
from gradwright.engine.run import phases
from gradwright.engine.specialize import Specializations, give_up, kind_of, specializations
from gradwright.engine.step import GroupStep, StepCoroutine, TensorStep
from gradwright.native.build import NoCompiler

PLAIN_TORCH_IN_GRAPH = (
    "{} runs on plain torch, which a CUDA graph would repeat with today's step count and hyper-parameters; step "
    "outside of the graph"
)


class Dispatcher:
    """What an optimizer remembers between steps so that a step costs little Python."""

    def __init__(self) -> None:
        self.groups: dict[Hashable, Dispatch] = {}

    def coroutines(self, index: Hashable, step: GroupStep, engine: str) -> list[StepCoroutine]:
        """The step of a group, in pieces that run one after another but for the totals they wait for together.

        Args:
            index: which group it is, or what else tells steps apart that take turns.
            step: what to do.
            engine: what the optimizer asks for; each device has its own way to serve ``"auto"``.
        """
        dispatch = self._dispatch(index, step, engine)
        while not dispatch.agrees(step):
            dispatch = self.groups[index] = Dispatch(step, engine, merged=False)
        return dispatch.coroutines(step)

    def refresh(self, index: Hashable, step: GroupStep, engine: str) -> None:
        """Do the host's part of a step that a CUDA graph is about to replay."""
        for batch in self._dispatch(index, step, engine).batches:
            batch.turn += 1
            batch.refresh(step)

    def _dispatch(self, index: Hashable, step: GroupStep, engine: str) -> Dispatch:
        found = self.groups.get(index)
        if found is None or not found.fits(step, engine):
            found = self.groups[index] = Dispatch(step, engine)
        return found


class Dispatch:
    """Which of a group's parameters each backend serves; valid while nobody moves.

    Tensors of different shapes that run the same program now are ``merged`` into one batch.

    Attributes:
        eager: the parameters that run on plain torch, one after another, by the chain's own definition.
        batches: the others.
    """

    def __init__(self, step: GroupStep, engine: str, merged: bool = True) -> None:
        self.memory, self.engine = step.memory, engine
        self.structure, self.maximize = step.chain.structure(), step.maximize
        self.skipping = step.good is not None
        self.states = step.states
        self.eager: list[int] = []
        chosen: dict[Any, tuple[Backend, list[int]]] = {}
        for at, param in enumerate(step.params):
            if param.numel() == 0:
                continue
            backend = self._backend(at, param)
            if backend is None:
                self.eager.append(at)
            else:
                key = backend.name, param.device, kind_of(step.chain, step.spec_of(param)), layout_of(param)
                chosen.setdefault(key, (backend, []))[1].append(at)
        teams: dict[Any, tuple[Backend, list[Specializations], list[int]]] = {}
        for (name, device, _, layout), (backend, members) in chosen.items():
            found = self._specialized(backend, members, step, layout)
            if found is not None:
                kinds, program, members = found
                sharding = None if layout is None else layout.seen(program.folding)
                key = name, device, id(program if merged else kinds), sharding
                _, families, together = teams.setdefault(key, (backend, [], []))
                families.append(kinds)
                together.extend(members)
        self.batches = [
            TensorBatch(families, backend, sorted(members), step, sharding)
            for (*_, sharding), (backend, families, members) in teams.items()
            if members
        ]
        self.eager.sort()

    def _backend(self, at: int, param: Tensor) -> Backend | None:
        """What can serve a parameter where it lies; ``None`` for plain torch."""
        if at in self.memory.odd or at in self.memory.shared or rows.AGES in self.states[at]:
            return None
        found, shard = select.backend(self.engine, param.device), local(param)
        if found is not None and self.skipping:
            found = found.skipping
        if is_spread(param) and param.is_complex():
            return None
        return found if found is not None and (not shard.numel() or found.serves(shard)) else None

    def _specialized(
        self, backend: Backend, members: list[int], step: GroupStep, layout: Layout | None
    ) -> tuple[Specializations, Any, list[int]] | None:
        """The programs of parameters of one kind, the one for now, and those that it can serve."""
        param, state = step.params[members[0]], step.states[members[0]]
        spec = step.spec_of(param)
        kinds = None
        try:
            cuts = frozenset() if layout is None else layout.dims
            kinds = specializations(step.chain, spec, step.maximize, backend, param.device, cuts)
            probe = TensorBatch([kinds], backend, members[:1], step)
            age = (state["step"], *(state[key] for key in kinds.numbers))
            found = kinds.at(probe.inputs(step, age))
        except (Untraceable, NoCompiler) as why:
            if isinstance(why, NoCompiler):
                select.give_up(self.engine, why)
            elif kinds is not None:
                give_up(kinds, why)
            self.eager += members
            return None
        if layout is not None and not served_apart(param, found.program):
            self.eager += members
            return None
        if found.program.in_order:
            # rows, columns and places are those of memory, so only a contiguous tensor has them
            self.eager += [at for at in members if not local(step.params[at]).is_contiguous()]
            members = [at for at in members if local(step.params[at]).is_contiguous()]
        return kinds, found.program, members

    def fits(self, step: GroupStep, engine: str) -> bool:
        """Whether it was made for this step's tensors, where they lie, and for its formula."""
        return (
            step.memory is self.memory
            and engine == self.engine
            and step.maximize == self.maximize
            and (step.good is not None) == self.skipping
            and step.chain.structure() == self.structure
        )

    def agrees(self, step: GroupStep) -> bool:
        """Whether this step calls for the same batches; if not, what can no longer be traced is left to plain torch.

        Asked before anything runs, so that a step is taken by one dispatch or another, never by both.
        """
        for batch in self.batches:
            try:
                if not batch.agrees(step):
                    return False
            except Untraceable as why:
                for kind in batch.kinds:
                    give_up(kind, why)
                return False
            except NoCompiler:
                return False  # the next dispatch meets it again, and knows what to do
        return True

    def coroutines(self, step: GroupStep) -> list[StepCoroutine]:
        for batch in self.batches:
            batch.turn += 1
        present = set(step.members) if step.present is not None else None
        left = [at for at in self.eager if present is None or at in present]
        if alone := step.memory.alone:
            served = [at for at in step.members if step.params[at].numel()]
            left = [at for at in served if at in alone or at in self.eager]
            step = step._replace(present=np.array([at for at in served if at not in alone], np.int64))
        if left and capturing():
            raise RuntimeError(PLAIN_TORCH_IN_GRAPH.format(step.spec_of(step.params[left[0]])))
        if capturing():
            for batch in self.batches:
                batch.begin_capture()
        launches = [launches for batch in self.batches for launches in batch.launches(step)]
        running = [phases(one, one.batch.collective) for one in launches]
        return [*running, *(_on_plain_torch(step.of(at)) for at in left)]


def _on_plain_torch(step: TensorStep) -> StepCoroutine:
    if rows.AGES in step.state:
        return rows.run(step)
    return eager.run(step, access_to(step.param, is_spread(step.param) and _traceable(step)))


def _traceable(step: TensorStep) -> bool:
    """Whether torch can share out what the chain does at this step: all links have words in the graph for it.

    Blocks of rows lie across ranks in ways of their own, so a tensor that is seen in blocks is not shared out.
    """
    kinds = None
    try:
        kinds = specializations(step.chain, step.spec, step.maximize, select.BACKENDS["torch"], step.param.device)
        unknown = [float("nan")] * (len(kinds.shared) + kinds.needs_loss)  # no Python decides on them
        numbers = (step.state[key] for key in kinds.numbers)
        program = kinds.at((*step.chain.knobs().values(), step.step, step.clock, *numbers, *unknown)).program
        return not program.links and (program.folding is None or program.folding.blocks == 1)
    except Untraceable as why:
        if kinds is not None:
            give_up(kinds, why)
        return False
