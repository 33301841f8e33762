"""The fused engines: one kernel launch for all tensors on a device that compute the same thing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gradwright.engine import select
from gradwright.engine.crew import Crew
from gradwright.engine.gpu_crew import DeviceCrew
from gradwright.engine.job import Job, Progress, Share
from gradwright.engine.program import Family, family, give_up, kind_of
from gradwright.engine.symbol import Untraceable
from gradwright.native.build import NoCompiler

CREWS: dict[str, type[Crew]] = {"cpp": Crew, "triton": DeviceCrew}
"""What runs parameters on each engine."""


class Fused:
    """What an optimizer remembers between steps so that a step costs little Python."""

    def __init__(self) -> None:
        self._rosters: dict[int, Roster] = {}

    def run(self, index: int, share: Share, engine: str) -> tuple[list[Job], list[Progress]]:
        """How to step a group's share.

        Args:
            engine: what the optimizer asks for; each device has its own way to serve ``"auto"``.

        Returns:
            The jobs left to the eager engine, and the pieces of a step that kernels run.
        """
        roster = self._roster(index, share, engine)
        while not roster.agrees(share):
            roster = self._rosters[index] = Roster(share, engine, merged=False)
        return roster.run(share)

    def refresh(self, index: int, share: Share, engine: str) -> None:
        """Do the host's part of a step that a CUDA graph is about to replay."""
        self._roster(index, share, engine).refresh(share)

    def _roster(self, index: int, share: Share, engine: str) -> Roster:
        roster = self._rosters.get(index)
        if roster is None or not roster.fits(share, engine):
            roster = self._rosters[index] = Roster(share, engine)
        return roster


class Roster:
    """A group's parameters sorted by the kernels that serve them; valid while nobody moves.

    Tensors of different shapes that run the same program now are ``merged`` into one crew.
    """

    def __init__(self, share: Share, engine: str, merged: bool = True) -> None:
        self.params, self.states, self.engine = list(share.params), share.states, engine
        self.chain_key, self.maximize = share.chain.structure(), share.maximize
        self.eager: list[int] = []
        self.crews: list[Crew] = []
        chosen: dict[tuple[Any, ...], list[int]] = {}
        apart = _overlapping(self.params)
        for at, param in enumerate(self.params):
            if param.numel() == 0:
                continue
            how = select.chosen(engine, param.device.type)
            if how == "eager" or param.is_complex() or at in apart or not _dense(param):
                self.eager.append(at)
                continue
            spec = share.spec_of(param)
            chosen.setdefault((how, param.device, kind_of(share.chain, spec)), []).append(at)
        teams: dict[tuple[Any, ...], tuple[list[Family], list[int]]] = {}
        for (how, device, _), members in chosen.items():
            spec, state = share.spec_of(self.params[members[0]]), share.states[members[0]]
            try:
                found = family(share.chain, spec, share.maximize, how)
                alike = found.program(CREWS[how].inputs(found, share, state))
            except (Untraceable, NoCompiler) as why:
                if isinstance(why, NoCompiler):
                    select.give_up(engine, why)
                else:
                    give_up(share.chain, spec, share.maximize, how, why)
                self.eager += members
                continue
            if alike.split is not None:
                # rows and columns are those of memory, so only a contiguous tensor has them
                self.eager += [at for at in members if not self.params[at].is_contiguous()]
                members = [at for at in members if self.params[at].is_contiguous()]
            if not members:
                continue
            families, together = teams.setdefault((how, device, id(alike if merged else found)), ([], []))
            families.append(found)
            together.extend(members)
        self.crews = [CREWS[how](found, sorted(members), share) for (how, *_), (found, members) in teams.items()]
        self.eager.sort()

    def fits(self, share: Share, engine: str) -> bool:
        # the optimizer hands over the same list for as long as no parameter moved
        return (
            share.states is self.states
            and engine == self.engine
            and share.maximize == self.maximize
            and share.chain.structure() == self.chain_key
        )

    def agrees(self, share: Share) -> bool:
        """Whether this step calls for the same crews; if not, what can no longer be traced is left to eager torch.

        Asked before anything runs, so that a step is taken by one roster or another, never by both.
        """
        for crew in self.crews:
            try:
                if not crew.agree(share):
                    return False
            except Untraceable as why:
                for one in crew.families:
                    give_up(share.chain, one.spec, one.maximize, one.engine, why)
                return False
            except NoCompiler:
                return False  # the next roster meets it again, and knows what to do
        return True

    def run(self, share: Share) -> tuple[list[Job], list[Progress]]:
        return [share.job(at) for at in self.eager], [piece for crew in self.crews for piece in crew.run(share)]

    def refresh(self, share: Share) -> None:
        for crew in self.crews:
            assert isinstance(crew, DeviceCrew)
            crew.refresh(share)


def _dense(param: Tensor) -> bool:
    """Whether the tensor's entries fill one stretch of memory, each once.

    A tensor that stands for others, such as a shard of a distributed one, has no memory of its own.
    """
    if param.layout != torch.strided or param.data_ptr() == 0:
        return False
    expected = 1
    for stride, size in sorted((s, n) for s, n in zip(param.stride(), param.shape) if n > 1):
        if stride != expected:
            return False
        expected *= size
    return True


def _reach(param: Tensor) -> int:
    """How many entries of memory lie between a tensor's first and its last, those two and others' included."""
    return 1 + sum((size - 1) * stride for size, stride in zip(param.shape, param.stride()))


def _overlapping(params: Iterable[Tensor]) -> set[int]:
    """The parameters that share memory with another: only one after another gives them a meaning."""
    spans = sorted(
        (str(p.device), p.data_ptr(), p.data_ptr() + _reach(p) * p.element_size(), at)
        for at, p in enumerate(params)
        if p.numel() and p.layout == torch.strided
    )
    found: set[int] = set()
    reach, owner, where = -1, -1, ""
    for device, begin, end, at in spans:
        if device == where and begin < reach:
            found |= {owner, at}
        if device != where or end > reach:
            reach, owner, where = end, at, device
    return found
