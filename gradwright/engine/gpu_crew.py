"""Device crew: the parameters of one family on a GPU, stepped together, in CUDA graphs too.

Parameters of all ages that run one program share its launches: each has a row of scalars of its own.

A CUDA graph repeats kernels, not Python. Step counts, learning rates and whatever else the host computes lie in device
memory, which a captured step reads and :meth:`DeviceCrew.refresh` writes before each replay. What is captured as it
was: which parameters have gradients and where these lie, and plain torch between kernels with its hyper-parameters
(Muon's Newton-Schulz has none). Where Python would now decide otherwise than at the capture, refreshing raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradwright.core import Total
from gradwright.engine.crew import UNKNOWN, Crew
from gradwright.engine.gpu_bucket import NOT_WARM, DeviceBucket
from gradwright.engine.job import Progress, Share
from gradwright.engine.links import batches, run_link
from gradwright.engine.program import Family, Program

IN_FLIGHT = 2**28
"""Numbers that wait between two kernels at a time (1 GiB of float32), unless one tensor alone is larger."""

_captured: list[DeviceBucket] = []
"""Buckets whose memory a CUDA graph may read at any time from now on."""


def capturing() -> bool:
    """Whether what is launched now goes into a CUDA graph instead of running."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


class DeviceCrew(Crew):
    """Parameters of one family on one device, in buckets by the program that their ages call for."""

    def __init__(self, families: Sequence[Family], members: list[int], share: Share) -> None:
        super().__init__(families, members, share)
        self.device = self.params[0].device
        self._everyone = list(range(len(members)))
        self._in_graph: list[DeviceBucket] = []

    @staticmethod
    def inputs(of: Family, share: Share, state: dict[str, Any]) -> tuple[float, ...]:
        """As for any crew, but with NaN for what only the device knows; no host value depends on it."""
        numbers = (state[key] for key in of.numbers)
        unknown = len(of.shared) + ("loss" in of.inputs)
        return (*share.chain.knobs().values(), state["step"] + 1.0, share.clock, *numbers, *[float("nan")] * unknown)

    def run(self, share: Share) -> list[Progress]:
        """A step, or where a CUDA graph is being captured, its record, which leaves the host's counts as they are."""
        captured = capturing()
        if captured:
            self._in_graph = []
        with self._on_device():
            grads, teams = self._teams(share)
        return [self._step(team, grads, share, captured) for team in teams]

    def refresh(self, share: Share) -> None:
        """Do the host's part of a step whose kernels a CUDA graph is about to replay.

        Raises:
            RuntimeError: the step to come is not the one that was captured.
        """
        with self._on_device():
            _, teams = self._teams(share)
            due = [
                (self.buckets.get((id(kernel), batch)), team.rows(kernel, batch))
                for team in teams
                for kernel, batch in self._launches(team)
            ]
            if not self._in_graph or {id(bucket) for bucket, _ in due} != set(map(id, self._in_graph)):
                raise RuntimeError(
                    "the next step is not the one that was captured: a parameter joined or left, or a recipe takes "
                    "another branch at this step (a first step, the last of a cycle); capture it again"
                )
            for bucket, rows in due:
                assert bucket is not None
                bucket.fill(rows)
        self._grow(teams)

    def _on_device(self) -> AbstractContextManager[Any]:
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def _teams(self, share: Share) -> tuple[Sequence[Tensor], list[_Team]]:
        """This step's gradients, and the parameters by the program that they run.

        Where plain torch stands between kernels, which sees one step count at a time, ages are kept apart.
        """
        grads, ages = self.present(share)
        if ages.count(ages[0]) == len(ages):
            program, scalars = self._computed(share, 0)
            return grads, [_Team(program, self._everyone, ages, {ages[0]: scalars})]
        known: dict[tuple[float, ...], _Team] = {}
        teams: dict[tuple[Any, ...], _Team] = {}
        for at, age in enumerate(ages):
            if age not in known:
                program, scalars = self._computed(share, at)
                links = any(kernel.plan.feeds for kernel in program.kernels)
                key = (id(program), age if links else None)
                known[age] = teams.setdefault(key, _Team(program, [], [], {}))
                known[age].scalars[age] = scalars
            known[age].members.append(at)
            known[age].ages.append(age)
        return grads, list(teams.values())

    def _computed(self, share: Share, at: int) -> tuple[Program, tuple[float, ...]]:
        """The program for one parameter, and what the host computes for it."""
        values = self.inputs(self.family, share, self.states[at])
        program = self.family.program(values)
        return program, program.scalars((*values, *[UNKNOWN] * len(program.sums)))

    def _step(self, team: _Team, grads: Sequence[Tensor], share: Share, captured: bool) -> Progress:
        """Launch a team's kernels; totals stay on the device, where the host never waits for them."""
        shared: dict[str, Any] = {}
        given: dict[str, Tensor] = {}
        program, everyone = team.program, tuple(team.members)
        for kernel in program.asking:
            with self._on_device():
                others: dict[str, Sequence[Tensor]] = {"grad": [grads[at] for at in everyone]}
                bucket, _ = self._launched(kernel, everyone, team, others, share, given, captured)
                parts = {key: found.sum() for key, found in bucket.parts.items()}
            for name, keys in kernel.plan.asks.items():
                answer = yield Total(name, *(parts[key] for key in keys))
                given.update(zip(keys, answer if len(keys) > 1 else [answer]))
        with self._on_device():
            for batch in self._runs(team):
                others = {"grad": [grads[at] for at in batch]}
                for kernel in program.kernels[len(program.asking) :]:
                    link = kernel.plan.feeds
                    if link is not None:
                        computing = self.family.spec.computing_dtype
                        others["@"] = [torch.empty_like(self.params[at], dtype=computing) for at in batch]
                    _, derived = self._launched(kernel, batch, team, others, share, given, captured)
                    shared.update(derived)
                    if link is not None:
                        others[f"@{link}"] = self._linked(link, others.pop("@"), batch, share, team.ages[0][0] + 1.0)
                torch.autograd.graph.increment_version([self.params[at] for at in batch])
        if not captured:
            self._grow([team])
        return shared

    def _launched(
        self,
        kernel: Any,
        batch: tuple[int, ...],
        team: _Team,
        others: dict[str, Sequence[Tensor]],
        share: Share,
        sums: dict[str, Tensor],
        captured: bool,
    ) -> tuple[DeviceBucket, dict[str, Tensor]]:
        """Launch one kernel; returns its bucket and the new shared values that it comes with."""
        bucket = self._bucket(kernel, batch, captured)
        if captured:
            self._in_graph.append(bucket)
            _captured.append(bucket)
        else:
            bucket.fill(team.rows(kernel, batch))
        bucket.point(others, captured)
        derived = bucket.derive({**self._given(share), **sums} if kernel.shared is not None else {})
        bucket.launch()
        return bucket, derived

    def _linked(
        self, link: str, updates: Sequence[Tensor], batch: Sequence[int], share: Share, step: float
    ) -> list[Tensor]:
        """What an opaque link makes of the updates of a batch, shape by shape."""
        position = {at: k for k, at in enumerate(batch)}
        made: dict[int, Tensor] = {}
        for alike in batches(self.params, batch):
            ours = [updates[position[at]] for at in alike]
            made.update(zip(alike, run_link(share.chain.children()[link], ours, share, self.params[alike[0]], step)))
        return [made[at] for at in batch]

    def _given(self, share: Share) -> dict[str, Tensor]:
        """What the shared program reads: the loss and shared slots, in double on this device."""
        given = {key: self.states[0][key] for key in self.family.shared}
        if share.loss is not None and "loss" in self.family.inputs:
            given["loss"] = share.loss
        return {
            key: value.reshape(()).to(self.device, torch.float64, non_blocking=True) for key, value in given.items()
        }

    def _launches(self, team: _Team) -> Iterator[tuple[Any, tuple[int, ...]]]:
        """The kernels of a step with the parameters of each launch."""
        program = team.program
        yield from ((kernel, tuple(team.members)) for kernel in program.asking)
        for batch in self._runs(team):
            yield from ((kernel, batch) for kernel in program.kernels[len(program.asking) :])

    def _runs(self, team: _Team) -> Iterable[tuple[int, ...]]:
        """A team in batches for which all kernels run one after another: one, unless much would wait between them."""
        if not any(kernel.plan.feeds for kernel in team.program.kernels):
            return [tuple(team.members)]
        runs: list[list[int]] = []
        room = 0
        for at in team.members:
            size = self.params[at].numel()
            if size > room:
                runs.append([])
                room = IN_FLIGHT
            runs[-1].append(at)
            room -= size
        return [tuple(run) for run in runs]

    def _bucket(self, kernel: Any, batch: tuple[int, ...], captured: bool) -> DeviceBucket:
        key = (id(kernel), batch)
        if key not in self.buckets:
            if captured:
                raise RuntimeError(NOT_WARM)
            if len(self.buckets) > 256:
                self.buckets.clear()
            self.buckets[key] = DeviceBucket(
                kernel, [self.params[at] for at in batch], [self.states[at] for at in batch]
            )
        return self.buckets[key]

    def _grow(self, teams: Iterable[_Team]) -> None:
        """Let every parameter be a step older."""
        for team in teams:
            count = sum(len(kernel.row) for kernel in team.program.kernels)
            for at, age in zip(team.members, team.ages):
                state = self.states[at]
                state["step"] = age[0] + 1.0
                if team.program.numbers:
                    state.update(zip(team.program.numbers, team.scalars[age][count:]))


class _Team(NamedTuple):
    """Parameters that run one program: who they are, how old, and what the host computes for each age."""

    program: Program
    members: list[int]
    ages: list[tuple[float, ...]]
    scalars: dict[tuple[float, ...], tuple[float, ...]]

    def rows(self, kernel: Any, batch: Sequence[int]) -> list[tuple[float, ...]]:
        """The rows of scalars of a kernel: one that serves all, or one for each of a batch."""
        begin = self.program.begins[self.program.kernels.index(kernel)]
        cut = slice(begin, begin + len(kernel.row))
        if len(self.scalars) == 1:
            return [next(iter(self.scalars.values()))[cut]]
        of = dict(zip(self.members, self.ages))
        return [self.scalars[of[at]][cut] for at in batch]
