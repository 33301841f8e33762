"""TensorBatch: the parameters of a group that one backend serves alike, stepped together (multi-tensor)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.backend import Backend, Bound
from gradwright.engine.capture import NOT_WARM, OTHER_STEP, capturing
from gradwright.engine.collective import LOCAL, Collective, local
from gradwright.engine.exchange import cost, deal, meeting_of
from gradwright.engine.launch import Age, Launches
from gradwright.engine.layout import Sharding, layout_of
from gradwright.engine.memory import batches, in_batches
from gradwright.engine.mesh import Mesh
from gradwright.engine.specialize import Specialization, Specializations
from gradwright.engine.step import GroupStep

MOST_BOUND = 256
"""So many subsets of a batch are remembered with their tables."""


class Aimed:
    """For which version of memory the tables of a bound kernel hold."""

    version: int = -1


class TensorBatch:
    """Parameters on one device whose kinds run the same programs.

    Args:
        kinds: the kinds of tensors among them, which agree on the program of every age.
        backend: what runs them.
        members: which of the group's parameters.
        step: a step of the group.
        sharding: how ranks share out these parameters; ``None`` where each is whole on this one.
    """

    def __init__(
        self,
        kinds: Sequence[Specializations],
        backend: Backend,
        members: list[int],
        step: GroupStep,
        sharding: Sharding | None = None,
    ) -> None:
        self.kinds, self.kind, self.backend = kinds, kinds[0], backend
        self.members = np.array(members, np.int64)
        self.whole = len(members) == len(step.params)
        self.owners = [step.params[at] for at in members]
        """The parameters themselves, whose shapes are those of all of a tensor."""
        self.params = [local(param) for param in self.owners]
        """What this rank holds of them."""
        self.sharding = sharding
        self.collective: Collective = LOCAL if sharding is None else Mesh(sharding)
        self.states = [step.states[at] for at in members]
        self.indices = np.array([step.spec_of(param).index for param in self.owners], np.int64)
        self.device = self.params[0].device
        self.in_capture = False
        self._place = {at: k for k, at in enumerate(members)}
        self._bounds: dict[Any, tuple[Bound, Aimed]] = {}
        self._in_graph: set[int] = set()
        self._age: tuple[int, int, Age] | None = None
        self.turn = 0
        """How many steps the group has taken; a batch that was left out of one does not know its age."""
        self._subset: tuple[np.ndarray, list[Tensor], list[dict[str, Any]], list[Tensor]] | None = None

    def on_device(self) -> AbstractContextManager[Any]:
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def everyone(self, members: np.ndarray | None) -> np.ndarray | None:
        """Members of the batch as members of the group; ``None`` where they are all of it."""
        if members is None:
            return None if self.whole else self.members
        return self.members[members]

    def params_of(self, members: np.ndarray | None) -> list[Tensor]:
        return self.params if members is None else self._of(members)[1]

    def states_of(self, members: np.ndarray | None) -> list[dict[str, Any]]:
        return self.states if members is None else self._of(members)[2]

    def owners_of(self, members: np.ndarray | None) -> list[Tensor]:
        return self.owners if members is None else self._of(members)[3]

    def _of(self, members: np.ndarray) -> tuple[np.ndarray, list[Tensor], list[dict[str, Any]], list[Tensor]]:
        if self._subset is None or self._subset[0] is not members:
            chosen, every = members.tolist(), (self.params, self.states, self.owners)
            params, states, owners = ([column[at] for at in chosen] for column in every)
            self._subset = members, params, states, owners
        assert self._subset is not None
        return self._subset

    def inputs(self, step: GroupStep, age: Age) -> tuple[float, ...]:
        """The host inputs of programs for parameters of an age; NaN for what only the device knows."""
        kind = self.kind
        if self.backend.on_device:
            rest = [float("nan")] * (len(kind.shared) + kind.needs_loss)
        else:
            rest = [float(self.states[0][key]) for key in kind.shared]
            rest += [float(step.loss)] if step.loss is not None and kind.needs_loss else []
        return (*step.chain.knobs().values(), age[0] + 1.0, step.clock, *age[1:], *rest)

    def given(self, step: GroupStep) -> dict[str, Tensor]:
        """The loss and shared slots, in double on this device."""
        given = {key: self.states[0][key] for key in self.kind.shared}
        if step.loss is not None and self.kind.needs_loss:
            given["loss"] = step.loss
        return {k: value.reshape(()).to(self.device, torch.float64, non_blocking=True) for k, value in given.items()}

    def agrees(self, step: GroupStep) -> bool:
        """Whether all kinds still run the same program at each age, as when the batch was formed.

        Raises:
            Untraceable: at this step the chain does what the graph has no word for.
        """
        if not any(kind.guarded for kind in self.kinds):
            return True
        for age in set(self._ages(self.states_of(self._present(step)))):
            values = self.inputs(step, age)
            if len({id(kind.at(values)) for kind in self.kinds}) > 1:
                return False
        return True

    def launches(self, step: GroupStep) -> list[Launches]:
        """This step, by the program that each age calls for.

        Where plain torch stands between sweeps, which sees one step count at a time, ages are kept apart.
        """
        self.in_capture = capturing()
        members = self._present(step)
        if members is not None and not len(members):
            return []
        known, self._age = self._age, None
        if members is None and known is not None and known[:2] == (step.memory.unchanged, self.turn - 1):
            ages = [known[2]]
        else:
            ages = self._ages(self.states_of(members))
        if len(ages) == 1:
            return [Launches(self, self._at(step, ages[0]), members, ages, step)]
        teams: dict[Any, tuple[Specialization, list[int], list[Age]]] = {}
        chosen: dict[Age, Any] = {}
        indices = range(len(self.params)) if members is None else members.tolist()
        for at, age in zip(indices, ages):
            if age not in chosen:
                found = self._at(step, age)
                chosen[age] = id(found), age if found.program.links else None
                teams.setdefault(chosen[age], (found, [], []))
            _, some, their = teams[chosen[age]]
            some.append(at)
            their.append(age)
        return [
            Launches(self, found, np.array(some, np.int64), their if len(set(their)) > 1 else their[:1], step)
            for found, some, their in teams.values()
        ]

    def grown(self, members: np.ndarray | None, age: Age, step: GroupStep) -> None:
        """Remember that all are of one age now, for as long as nobody changes their state."""
        unchanged = step.memory.unchanged
        self._age = None if members is not None or unchanged is None else (unchanged, self.turn, age)

    def _at(self, step: GroupStep, age: Age) -> Specialization:
        return self.kind.at(self.inputs(step, age))

    def _present(self, step: GroupStep) -> np.ndarray | None:
        """Which members have a gradient; ``None`` for all."""
        if step.present is None:
            return None
        present = np.isin(self.members, step.present, assume_unique=True)
        return None if present.all() else np.flatnonzero(present)

    def _ages(self, states: Sequence[dict[str, Any]]) -> list[Age]:
        """The step count and the host scalars of each; a single age where all are alike."""
        if not states:
            return []
        kept = [list(map(itemgetter(key), states)) for key in ("step", *self.kind.numbers)]
        if all(column.count(column[0]) == len(column) for column in kept):
            return [tuple(column[0] for column in kept)]
        return list(zip(*kept))

    def split(self, launches: Launches) -> list[np.ndarray | None]:
        """Members in batches that keep few numbers waiting, between sweeps or in copies of gradients.

        Ranks that share out tensors make the same batches, whatever each of them holds.
        """
        members, memory = launches.members, launches.step.memory
        if self.sharding is not None and self.sharding.cut and not launches.program.links:
            return [members]
        everyone = self.everyone(members)
        unfit = set()
        if memory.unfit:
            indices = range(len(launches.step.params)) if everyone is None else everyone.tolist()
            unfit = {self._place[at] for at in indices if at in memory.unfit}
        if not launches.program.links and not unfit:
            return [members]
        chosen = list(range(len(self.params))) if members is None else members.tolist()
        if launches.program.links:
            found = self._alike(chosen)
        else:
            found = [[at for at in chosen if at not in unfit]] if len(unfit) < len(chosen) else []
            found += batches(self.params, [at for at in chosen if at in unfit], self.backend.in_flight)
        return [np.array(some, np.int64) for some in found]

    def _alike(self, members: list[int]) -> list[list[int]]:
        """Members in batches in which equal shapes are together, as many as ranks at least where these share the work.

        The costliest come first, so that those of one batch are about as much work for each rank.
        """
        alike: dict[Any, list[int]] = {}
        for at in members:
            alike.setdefault((self.owners[at].shape, self.owners[at].stride()), []).append(at)
        groups, ranks = list(alike.values()), 1
        if self.ranks > 1:
            ranks = self.ranks
            groups.sort(key=lambda group: -cost(tuple(self.owners[group[0]].shape)))
        every = [at for group in groups for at in group]
        return in_batches([owner.numel() for owner in self.owners], every, self.backend.in_flight * ranks, ranks)

    @property
    def ranks(self) -> int:
        """How many ranks share out each tensor, where it is cut once."""
        layout = layout_of(self.owners[0])
        return 1 if layout is None or not layout.dims else meeting_of(layout)[1]

    def dealt(self, members: np.ndarray | None) -> dict[int, int]:
        """Which rank computes with all of each of these tensors."""
        every = list(range(len(self.owners))) if members is None else members.tolist()
        return dict(zip(every, deal([cost(tuple(self.owners[at].shape)) for at in every], self.ranks)))

    def bound(self, specialization: Specialization, members: np.ndarray | None) -> tuple[Bound, Aimed]:
        """The kernel bound to some members."""
        key = id(specialization), None if members is None else members.tobytes()
        if key not in self._bounds:
            if self.in_capture:
                raise RuntimeError(NOT_WARM)
            if len(self._bounds) >= MOST_BOUND:
                self._bounds.clear()
            self._bounds[key] = self._bind(specialization, members), Aimed()
        found = self._bounds[key]
        if self.in_capture:
            self._in_graph.add(id(found[0]))
        return found

    def _bind(self, specialization: Specialization, members: np.ndarray | None) -> Bound:
        whole = None if self.sharding is None else [tuple(owner.shape) for owner in self.owners_of(members)]
        return specialization.kernel.bind(self.params_of(members), whole)

    def begin_capture(self) -> None:
        self._in_graph.clear()

    def refresh(self, step: GroupStep) -> None:
        """Do the host's part of a step whose kernels a CUDA graph is about to replay.

        Raises:
            RuntimeError: the step to come is not the one that was captured.
        """
        with self.on_device():
            every = self.launches(step)
            bounds = {id(launch.bound) for launches in every for launch in launches}
            if not self._in_graph or bounds != self._in_graph:
                raise RuntimeError(OTHER_STEP)
            for launches in every:
                for launch in launches:
                    launch.bound.fill(launches.rows(launch.members))
                    if launches.program.random:
                        launch.bound.draw(launches.keys(launch.members))
                launches.grow()
