"""The fused engine on CPU: one kernel launch for all tensors that compute the same thing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from operator import is_, itemgetter
from typing import Any

import torch
from torch import Tensor

from gradwright.engine.bucket import Bucket, Kernel
from gradwright.engine.job import Job, Share
from gradwright.engine.links import batches, run_link
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
        # memory that was freed may be given to other data of the same parameter, of another type
        types = map(Tensor.dtype.__get__, share.params)  # type: ignore[attr-defined]
        pointers = [*map(Tensor.data_ptr, share.params), *types]
        roster = self._rosters.get(index)
        if roster is None or not roster.fits(share, pointers):
            roster = self._rosters[index] = Roster(share, pointers)
        return roster.run(share)


class Roster:
    """A group's parameters sorted by the kernels that serve them; valid while nobody moves."""

    def __init__(self, share: Share, pointers: Sequence[Any]) -> None:
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
            spec, state = share.spec_of(self.params[members[0]]), share.states[members[0]]
            try:
                found = family(share.chain, spec, share.maximize)
                alike = found.program(_inputs(found, share, _age(found, state), state))
            except Untraceable as why:
                give_up(share.chain, spec, share.maximize, why)
                self.eager += members
                continue
            if alike.split is not None:
                # rows and columns are those of memory, so only a contiguous tensor has them
                self.eager += [at for at in members if not self.params[at].is_contiguous()]
                members = [at for at in members if self.params[at].is_contiguous()]
            if not members:
                continue
            by_family.setdefault(id(alike), (found, []))[1].extend(members)
        self.crews = [Crew(found, sorted(members), share) for found, members in by_family.values()]
        self.eager.sort()

    def fits(self, share: Share, pointers: Sequence[Any]) -> bool:
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
        self.buckets: dict[tuple[Any, ...], Bucket] = {}
        self._batches: dict[tuple[int, ...], list[list[int]]] = {}

    def run(self, share: Share) -> dict[str, float]:
        if self.whole:
            states, grads = share.states, share.grads
        else:
            states = [share.states[at] for at in self.members]
            grads = [share.grads[at] for at in self.members]
        if not all(map(is_, states, self.states)):
            self.states = list(states)
            self.buckets.clear()
        grads = self._fitting(grads)
        kept = ("step", *self.family.numbers)
        ages: list[tuple[float, ...]] = list(zip(*(map(itemgetter(key), states) for key in kept)))
        if ages.count(ages[0]) == len(ages):
            return self._advance(None, ages[0], grads, share)
        shared: dict[str, float] = {}
        apart: dict[tuple[float, ...], list[int]] = {}
        for at, age in enumerate(ages):
            apart.setdefault(age, []).append(at)
        for age, members in apart.items():
            shared = self._advance(tuple(members), age, [grads[at] for at in members], share)
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

    def _advance(
        self, members: tuple[int, ...] | None, age: tuple[float, ...], grads: Sequence[Tensor], share: Share
    ) -> dict[str, float]:
        """Step parameters of one age; ``members`` are all of them where it is None."""
        states = self.states if members is None else [self.states[at] for at in members]
        values = _inputs(self.family, share, age, states[0])
        program = self.family.program(values)
        scalars = program.scalars(values)
        if len(program.kernels) == 1:
            self._launch(program.kernels[0], members, scalars, {"grad": grads})
        else:
            self._launch_around_links(program, members, scalars, grads, share, age[0] + 1.0)
        rest = scalars[sum(len(kernel.plan.host) for kernel in program.kernels) :]
        step = age[0] + 1.0
        for state in states:
            state["step"] = step
        for key, value in zip(program.numbers, rest):
            for state in states:
                state[key] = value
        return dict(zip(program.shared, rest[len(program.numbers) :]))

    def _launch(
        self,
        kernel: Kernel,
        members: tuple[int, ...] | None,
        scalars: Sequence[float],
        others: dict[str, Sequence[Tensor]],
    ) -> None:
        key = (id(kernel), members)
        bucket = self.buckets.get(key)
        if bucket is None:
            if len(self.buckets) > 256:
                self.buckets.clear()
            params = self.params if members is None else [self.params[at] for at in members]
            states = self.states if members is None else [self.states[at] for at in members]
            bucket = self.buckets[key] = Bucket(kernel, params, states, torch.get_num_threads())
        bucket.scalars[:] = scalars[: len(kernel.plan.host)]
        bucket.point(others)
        kernel(bucket, 1 if _forked or bucket.numel < SMALL else min(torch.get_num_threads(), bucket.threads))
        if "param" in kernel.plan.stores:
            torch.autograd.graph.increment_version(bucket.params)

    def _launch_around_links(
        self,
        program: Program,
        members: tuple[int, ...] | None,
        scalars: Sequence[float],
        grads: Sequence[Tensor],
        share: Share,
        step: float,
    ) -> None:
        """Kernel, opaque link, kernel ..., for one batch of tensors after another, so that few are in flight."""
        everyone = tuple(range(len(self.params))) if members is None else members
        if everyone not in self._batches:
            self._batches[everyone] = batches(self.params, everyone)
        position = {at: k for k, at in enumerate(everyone)}
        for batch in self._batches[everyone]:
            others: dict[str, Sequence[Tensor]] = {"grad": [grads[position[at]] for at in batch]}
            offset = 0
            for kernel in program.kernels:
                row = scalars[offset : offset + len(kernel.plan.host)]
                offset += len(row)
                if kernel.plan.feeds is None:
                    self._launch(kernel, tuple(batch), row, others)
                    continue
                params = [self.params[at] for at in batch]
                others["@"] = [torch.empty_like(p, dtype=self.family.spec.computing_dtype) for p in params]
                self._launch(kernel, tuple(batch), row, others)
                link = share.chain.children()[kernel.plan.feeds]
                others[f"@{kernel.plan.feeds}"] = run_link(link, others.pop("@"), share, self.params[batch[0]], step)


def _inputs(of: Family, share: Share, age: tuple[float, ...], state: dict[str, Any]) -> tuple[float, ...]:
    """The host inputs of a family's programs for parameters of one age."""
    step, *numbers = age
    held = (float(state[key]) for key in of.shared)
    loss = [float(share.loss)] if share.loss is not None and "loss" in of.inputs else []
    return (*share.chain.knobs().values(), step + 1.0, share.clock, *numbers, *held, *loss)


def _age(of: Family, state: dict[str, Any]) -> tuple[float, ...]:
    return tuple(state[key] for key in ("step", *of.numbers))


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
