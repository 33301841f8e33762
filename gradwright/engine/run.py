"""Run: the order of a step, and the only place where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradwright.core import Total
from gradwright.engine.collective import LOCAL, Collective
from gradwright.engine.launch import Launches
from gradwright.engine.step import StepCoroutine


def run(steps: Iterable[StepCoroutine], collective: Collective = LOCAL) -> dict[str, Any]:
    """Run all steps to their end; returns the new values of shared state, which the caller writes.

    All advance to their next total, the totals are added up, the sums are sent back, and so on. Those without totals
    end one after another, so that only one of them holds what lies between two of its sweeps.

    Raises:
        RuntimeError: a total is settled twice in one step.
    """
    shared: dict[str, Any] = {}
    settled: set[str] = set()
    waiting: list[tuple[StepCoroutine, Any]] = [(step, None) for step in steps]
    while waiting:
        asked: list[tuple[StepCoroutine, Total]] = []
        for step, answer in waiting:
            try:
                asked.append((step, step.send(answer)))
            except StopIteration as end:
                shared.update(end.value)
        sums = collective.total(total for _, total in asked)
        if twice := settled & sums.keys():
            raise RuntimeError(f"the total {min(twice)!r} was settled twice in one step; give each use its own name")
        settled |= sums.keys()
        waiting = [(step, sums[total.name]) for step, total in asked]
    return shared


def phases(launches: Launches, collective: Collective = LOCAL) -> StepCoroutine:
    """The step of tensors that run one program: what asks for totals first, for all; then the rest, batch by batch."""
    for segment in launches.program.asking:
        for launch in launches:
            launch.sweep(segment.first, segment.last, collective)
        for name, keys in segment.totals.items():
            answer = yield Total(name, *(launches.part(key) for key in keys))
            launches.know(dict(zip(keys, answer if len(keys) > 1 else [answer])))
    for launch in launches:
        for segment in launches.program.ending:
            launch.sweep(segment.first, segment.last, collective)
            for link in segment.links:
                launch.through(link)
        launch.end()
    return launches.end()
