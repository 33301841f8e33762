"""Launches: the tensors that run one program in a step, in batches small enough for what must wait beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gradwright.engine.collective import Collective, local
from gradwright.engine.draws import keys_of
from gradwright.engine.exchange import Exchange
from gradwright.engine.memory import with_layout_of
from gradwright.engine.opaque import run_link
from gradwright.engine.operand import Source, made_by, taken_by
from gradwright.engine.step import GroupStep, note

if TYPE_CHECKING:
    from gradwright.engine.batch import TensorBatch
    from gradwright.engine.specialize import Specialization

UNKNOWN = float("nan")
"""What stands for a total that is not known yet; no value computed by then depends on it."""

Age = tuple[float, ...]


class Pointers:
    """A column of the tables of pointers, for what the optimizer's memory knows by address."""

    def __init__(self, pointers: np.ndarray, tensors: Any) -> None:
        self.pointers, self._tensors = pointers, tensors

    @cached_property
    def tensors(self) -> Sequence[Tensor]:
        return self._tensors()


class Tensors:
    """A column of the tables of pointers, for tensors that this step made."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors

    @cached_property
    def pointers(self) -> np.ndarray:
        return np.fromiter(map(Tensor.data_ptr, self.tensors), np.int64, len(self.tensors))


class Launches:
    """Tensors of one batch that run one program at this step.

    Args:
        batch: whose tensors.
        specialization: the program, compiled.
        members: which of them; ``None`` for all.
        ages: for each, its step count and its host scalars; a single age where they are alike.
        step: this step of their group.
    """

    def __init__(
        self,
        batch: TensorBatch,
        specialization: Specialization,
        members: np.ndarray | None,
        ages: Sequence[Age],
        step: GroupStep,
    ) -> None:
        self.batch, self.specialization, self.program = batch, specialization, specialization.program
        self.members, self.ages, self.step = members, ages, step
        self.sums: dict[str, Any] = {}
        self.new_shared: dict[str, Any] = {}
        self._scalars: dict[Age, tuple[float, ...]] = {}
        self.dealt = batch.dealt(members) if self.program.links and not batch.collective.alone else None
        """The rank that computes with all of each tensor, where ranks share out tensors and plain torch needs them."""
        self.launches = [Launch(self, some) for some in batch.split(self)]

    def __iter__(self) -> Iterator[Launch]:
        return iter(self.launches)

    def part(self, key: str) -> Tensor:
        """The sum over all these tensors of their part of a total."""
        return torch.stack([launch.bound.part(key) for launch in self.launches]).sum()

    def know(self, sums: Mapping[str, Any]) -> None:
        """Take the sums of totals; all scalars are computed anew from them."""
        on_device = self.batch.backend.on_device
        self.sums.update({key: value if on_device else float(value) for key, value in sums.items()})
        self._scalars.clear()
        for launch in self.launches:
            launch.filled = False

    def rows(self, members: np.ndarray | None) -> list[tuple[float, ...]]:
        """The rows of scalars: one that serves all, or one for each of some members."""
        count = len(self.specialization.kernel.row)
        if len(self.ages) == 1:
            return [self.scalars(self.ages[0])[:count]]
        if members is None or self.members is None:
            return [self.scalars(age)[:count] for age in self.ages]
        of = dict(zip(self.members.tolist(), self.ages))
        return [self.scalars(of[at])[:count] for at in members.tolist()]

    def keys(self, members: np.ndarray | None) -> np.ndarray:
        """The keys of the random bits of this step, for some members."""
        steps = [age[0] + 1.0 for age in self.ages]
        indices, draw = self.batch.indices, self.step.draw
        if members is None:
            return keys_of(indices, steps, draw)
        if len(steps) > 1 and self.members is not None:
            of = dict(zip(self.members.tolist(), steps))
            steps = [of[at] for at in members.tolist()]
        return keys_of(indices[members], steps, draw)

    def scalars(self, age: Age) -> tuple[float, ...]:
        """What the host computes for tensors of an age: the row, the new host scalars, the new shared values."""
        if age not in self._scalars:
            sums = self.program.sums
            known = [UNKNOWN] * len(sums) if self.batch.backend.on_device else [self.sums.get(k, UNKNOWN) for k in sums]
            self._scalars[age] = self.specialization.scalars((*self.batch.inputs(self.step, age), *known))
        return self._scalars[age]

    def given(self) -> dict[str, Any]:
        """What all parameters share, where it stays on the device: the loss, shared slots and sums."""
        unknown = torch.full((), UNKNOWN, dtype=torch.float64, device=self.batch.device)
        shared = {**self.batch.given(self.step), **dict.fromkeys(self.program.sums, unknown)}
        return {**shared, **self.sums}

    def grow(self) -> None:
        """Let every tensor be a step older."""
        count = len(self.specialization.kernel.row)
        names = self.specialization.numbers
        states = self.batch.states_of(self.members)
        if len(self.ages) == 1:
            new = {"step": self.ages[0][0] + 1.0}
            new.update(zip(names, self.scalars(self.ages[0])[count:]))
            for key, value in new.items():
                for state in states:
                    note(state, key, value)
            self.batch.grown(self.members, tuple(new.values()), self.step)
            return
        for state, age in zip(states, self.ages):
            note(state, "step", age[0] + 1.0)
            for key, value in zip(names, self.scalars(age)[count:]):
                note(state, key, value)

    def end(self) -> dict[str, Any]:
        """Finish the step on the host; returns the new shared values."""
        if self.batch.in_capture:
            return self.new_shared
        self.grow()
        if self.batch.backend.on_device:
            return self.new_shared
        scalars = self.scalars(self.ages[0])
        behind = len(self.specialization.kernel.row) + len(self.specialization.numbers)
        return dict(zip(self.specialization.shared, scalars[behind:]))


class Launch:
    """A batch of these tensors, bound to the kernel.

    Args:
        of: the launches it belongs to.
        members: which tensors of the batch; ``None`` for all.
    """

    def __init__(self, of: Launches, members: np.ndarray | None) -> None:
        self.of, self.members = of, members
        self.bound, self.aimed = of.batch.bound(of.specialization, members)
        self.filled = False
        self._between: dict[str, Tensors] = {}

    def sweep(self, first: int, last: int, collective: Collective) -> None:
        """Run some sweeps, after all that they read is in its place."""
        with self.of.batch.on_device():
            copies = self._prepare(first, last)
            if collective.alone:
                self.bound.run(first, last)
            else:
                for sweep in range(first, last + 1):
                    self.bound.run(sweep, sweep)
                    collective.combine(self.bound, sweep)
            del copies  # of gradients; they do not wait for anybody

    def _prepare(self, first: int, last: int) -> Any:
        batch, step, program = self.of.batch, self.of.step, self.of.program
        memory, everyone = step.memory, batch.everyone(self.members)
        if self.aimed.version != memory.version:
            for one in program.operands:
                if one.source in (Source.PARAM, Source.STATE):
                    for array in one.arrays:
                        self.bound.aim(array, self._held(array))
            self.aimed.version = memory.version
        gradients: Pointers | Tensors | None = None
        if any(one.source is Source.GRAD for one in program.operands):
            gradients = self._gradients(everyone)
            self.bound.aim("grad", gradients)
        for sweep in range(first, last + 1):
            for name in program.sweeps[sweep].stores:
                if program.operand(name).source is Source.BETWEEN:
                    params = batch.params_of(self.members)
                    # what kernels leave out where the step is not taken, torch must find harmless
                    new = torch.empty_like if step.good is None else torch.zeros_like
                    self._between[name] = Tensors([new(p, dtype=program.computing) for p in params])
                    self.bound.aim(name, self._between[name])
        if not self.filled:
            if not batch.in_capture:
                self.bound.fill(self.of.rows(self.members))
                if program.random:
                    self.bound.draw(self.of.keys(self.members))
            if step.good is not None:
                self.bound.allow(step.good)
            if batch.backend.on_device:
                self.of.new_shared.update(self.bound.know(self.of.given()))
            self.filled = True
        return gradients

    def _held(self, name: str) -> Pointers:
        """A parameter or an array of state, wherever it lies now."""
        batch = self.of.batch

        def tensors() -> list[Tensor]:
            if name == "param":
                return batch.params_of(self.members)
            return [local(state[name]) for state in batch.states_of(self.members)]

        return Pointers(self.of.step.memory.pointers(name, batch.everyone(self.members)), tensors)

    def _gradients(self, everyone: np.ndarray | None) -> Pointers | Tensors:
        memory, batch = self.of.step.memory, self.of.batch
        if not memory.unfit or memory.unfit.isdisjoint(self._indices(everyone)):
            return Pointers(
                memory.gradient_pointers(everyone),
                lambda: [memory.local_gradient(at) for at in self._indices(everyone)],
            )
        params = zip(self._indices(everyone), batch.params_of(self.members))
        grads = ((at, memory.local_gradient(at), param) for at, param in params)
        return Tensors([with_layout_of(g, param) if at in memory.unfit else g for at, g, param in grads])

    def _indices(self, everyone: np.ndarray | None) -> Sequence[int]:
        return range(len(self.of.step.params)) if everyone is None else everyone.tolist()

    def through(self, link: str) -> None:
        """Run an opaque link on what the last sweep left for it."""
        batch, step = self.of.batch, self.of.step
        updates = list(self._between.pop(taken_by(link)).tensors)
        age = self.of.ages[0][0] + 1.0  # where plain torch stands between sweeps, all are of one age
        part = step.chain.children()[link]
        with batch.on_device():
            made = Tensors(self._made(lambda these, params: run_link(part, these, step, params, age), updates))
        self._between[made_by(link)] = made
        self.bound.aim(made_by(link), made)

    def _made(self, run: Callable[[list[Tensor], list[Tensor]], list[Tensor]], updates: list[Tensor]) -> list[Tensor]:
        """What plain torch makes of updates, each by the rank that computes with all of it."""
        owners = self.of.batch.owners_of(self.members)
        if self.of.dealt is None:
            return run(updates, owners)
        members = range(len(owners)) if self.members is None else self.members.tolist()
        exchange = Exchange(owners, [self.of.dealt[at] for at in members])
        return exchange.through(updates, lambda whole: run(whole, [owners[at] for at in exchange.mine]))

    def end(self) -> None:
        """Nothing of this batch waits any more, and autograd learns that the parameters changed."""
        self._between.clear()
        torch.autograd.graph.increment_version(self.of.batch.owners_of(self.members))
