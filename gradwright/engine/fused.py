"""The fused engine on CPU: one kernel launch for all tensors that compute the same thing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from operator import is_, itemgetter
from typing import Any

import torch
from torch import Tensor

from gradwright.engine.bucket import Bucket
from gradwright.engine.job import Job, Share
from gradwright.engine.program import Family, Program, family, give_up
from gradwright.engine.symbol import Untraceable

SMALL = 32768
"""Below this many numbers a second thread costs more than it brings."""

_forked = False


def _after_fork() -> None:
    # libgomp's threads do not survive a fork, and waiting for them would hang the child
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Fused:
    """What an optimizer remembers between steps so that a step costs little Python."""

    def __init__(self) -> None:
        self._rosters: dict[int, Roster] = {}

    def run(self, index: int, share: Share) -> tuple[list[Job], dict[str, float]]:
        """Step what can be fused of a group's share.

        Returns:
            The jobs left to the eager engine, and the new values of shared slots.
        """
        pointers = list(map(Tensor.data_ptr, share.params))
        roster = self._rosters.get(index)
        if roster is None or not roster.fits(share, pointers):
            roster = self._rosters[index] = Roster(share, pointers)
        return roster.run(share)


class Roster:
    """A group's parameters sorted by the kernels that serve them; valid while nobody moves."""

    def __init__(self, share: Share, pointers: Sequence[int]) -> None:
        self.params, self.pointers = list(share.params), pointers
        self.chain_key, self.maximize = share.chain.structure(), share.maximize
        self.eager: list[int] = []
        self.crews: list[Crew] = []
        chosen: dict[tuple[Any, ...], list[int]] = {}
        apart = _overlapping(self.params)
        for at, param in enumerate(self.params):
            if param.numel() == 0:
                continue
            if param.device.type != "cpu" or param.is_complex() or at in apart or not _dense(param):
                self.eager.append(at)
                continue
            spec = share.spec_of(param)
            chosen.setdefault((spec.shape, spec.dtype, spec.roles), []).append(at)
        by_family: dict[int, tuple[Family, list[int]]] = {}
        for members in chosen.values():
            spec = share.spec_of(self.params[members[0]])
            try:
                found = family(share.chain, spec, share.maximize)
                found.program(_inputs(found, share, members[0]))
            except Untraceable as why:
                give_up(share.chain, spec, share.maximize, why)
                self.eager += members
                continue
            alike = found.program(_inputs(found, share, members[0]))
            by_family.setdefault(id(alike), (found, []))[1].extend(members)
        self.crews = [Crew(found, sorted(members), share) for found, members in by_family.values()]
        self.eager.sort()

    def fits(self, share: Share, pointers: Sequence[int]) -> bool:
        return (
            pointers == self.pointers
            and len(self.params) == len(share.params)
            and all(map(is_, self.params, share.params))
            and share.maximize == self.maximize
            and share.chain.structure() == self.chain_key
        )

    def run(self, share: Share) -> tuple[list[Job], dict[str, float]]:
        left, shared = [share.job(at) for at in self.eager], {}
        for crew in self.crews:
            shared.update(crew.run(share))
        return left, shared


class Crew:
    """Parameters of one family, in buckets by the program that their ages call for."""

    def __init__(self, of: Family, members: list[int], share: Share) -> None:
        self.family, self.members = of, members
        self.whole = members == list(range(len(share.params)))
        self.params = [share.params[at] for at in members]
        self.states = [share.states[at] for at in members]
        self.contiguous = all(map(Tensor.is_contiguous, self.params))
        self.numel = sum(map(Tensor.numel, self.params))
        self._buckets: dict[tuple[int, tuple[int, ...] | None], Bucket] = {}

    def run(self, share: Share) -> dict[str, float]:
        if self.whole:
            states, grads = share.states, share.grads
        else:
            pick = itemgetter(*self.members) if len(self.members) > 1 else lambda whole: (whole[self.members[0]],)
            states, grads = pick(share.states), pick(share.grads)
        if not all(map(is_, states, self.states)):
            self.states = list(states)
            self._buckets.clear()
        grads = self._fitting(grads)
        ages: list[tuple[float, ...]] = list(
            zip(*(map(itemgetter(key), states) for key in ("step", *self.family.numbers)))
        )
        if ages.count(ages[0]) == len(ages):
            return self._launch(None, ages[0], grads, share)
        shared: dict[str, float] = {}
        apart: dict[tuple[float, ...], list[int]] = {}
        for at, age in enumerate(ages):
            apart.setdefault(age, []).append(at)
        for age, members in apart.items():
            shared = self._launch(tuple(members), age, [grads[at] for at in members], share)
        return shared

    def _fitting(self, grads: Sequence[Tensor]) -> Sequence[Tensor]:
        """Gradients that lie in memory as their parameters do; those that do not are copied."""
        dtype = self.params[0].dtype
        if self.contiguous and all(map(Tensor.is_contiguous, grads)) and all(g.dtype is dtype for g in grads):
            return grads
        return [
            grad
            if grad.stride() == param.stride() and grad.dtype == param.dtype and not grad.is_neg()
            else torch.empty_like(param, memory_format=torch.preserve_format).copy_(grad)
            for grad, param in zip(grads, self.params)
        ]

    def _launch(
        self, members: tuple[int, ...] | None, age: tuple[float, ...], grads: Sequence[Tensor], share: Share
    ) -> dict[str, float]:
        """Run the kernel for parameters of one age; ``members`` are all of them where it is None."""
        step, *numbers = age
        states = self.states if members is None else [self.states[at] for at in members]
        held = [float(states[0][key]) for key in self.family.shared]
        loss = [float(share.loss)] if share.loss is not None and "loss" in self.family.inputs else []
        values = (*share.chain.knobs().values(), step + 1.0, share.clock, *numbers, *held, *loss)
        program = self.family.program(values)
        bucket = self._bucket(program, members, states)
        plan = program.plan
        scalars = program.scalars(values)
        count = len(plan.host)
        bucket.rows[:] = scalars[:count]
        bucket.point(grads)
        threads = 1 if _forked or self.numel < SMALL else torch.get_num_threads()
        program.kernel(bucket, threads)
        _bump_versions(bucket.params)
        after = dict(zip(plan.numbers, scalars[count:]))
        for state in states:
            state["step"] = step + 1.0
        for key, value in after.items():
            for state in states:
                state[key] = value
        return dict(zip(plan.shared, scalars[count + len(plan.numbers) :]))

    def _bucket(self, program: Program, members: tuple[int, ...] | None, states: Sequence[dict[str, Any]]) -> Bucket:
        key = (id(program), members)
        if key not in self._buckets:
            if len(self._buckets) > 64:
                self._buckets.clear()
            params = self.params if members is None else [self.params[at] for at in members]
            self._buckets[key] = Bucket(program.kernel, params, states)
        return self._buckets[key]


def _inputs(of: Family, share: Share, at: int) -> tuple[float, ...]:
    state = share.states[at]
    numbers = (state[key] for key in of.numbers)
    held = (float(state[key]) for key in of.shared)
    loss = [float(share.loss)] if share.loss is not None and "loss" in of.inputs else []
    return (*share.chain.knobs().values(), state["step"] + 1.0, share.clock, *numbers, *held, *loss)


def _dense(param: Tensor) -> bool:
    """Whether the tensor's entries fill one stretch of memory, each once."""
    if param.layout != torch.strided:
        return False
    expected = 1
    for stride, size in sorted((s, n) for s, n in zip(param.stride(), param.shape) if n > 1):
        if stride != expected:
            return False
        expected *= size
    return True


def _overlapping(params: Iterable[Tensor]) -> set[int]:
    """The parameters that share memory with another: only one after another gives them a meaning."""
    spans = sorted(
        (p.data_ptr(), p.data_ptr() + p.numel() * p.element_size(), at)
        for at, p in enumerate(params)
        if p.numel() and p.layout == torch.strided and p.device.type == "cpu"
    )
    found: set[int] = set()
    reach, owner = -1, -1
    for begin, end, at in spans:
        if begin < reach:
            found |= {owner, at}
        if end > reach:
            reach, owner = end, at
    return found


def _bump_versions(params: Sequence[Tensor]) -> None:
    """Tell autograd that the weights were written, as an in-place operation would."""
    torch.autograd.graph.increment_version(params)
