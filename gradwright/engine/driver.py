"""The driver: advance every job to its next total, add the totals up, send the sums back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gradwright.core import Total
from gradwright.engine.job import Progress


def settle(jobs: Iterable[Progress]) -> dict[str, Any]:
    """Run all jobs to their end; returns the new values of shared state, which the caller writes.

    Jobs without totals run and end one after another, so that only one of them holds intermediate tensors.

    Raises:
        RuntimeError: a total is settled twice in one step.
    """
    shared: dict[str, Any] = {}
    settled: set[str] = set()
    waiting: list[tuple[Progress, Any]] = [(job, None) for job in jobs]
    while waiting:
        asked: list[tuple[Progress, Total]] = []
        for job, answer in waiting:
            try:
                asked.append((job, job.send(answer)))
            except StopIteration as end:
                shared.update(end.value)
        sums = _add_up(total for _, total in asked)
        if twice := settled & sums.keys():
            raise RuntimeError(f"the total {min(twice)!r} was settled twice in one step; give each use its own name")
        settled |= sums.keys()
        waiting = [(job, sums[total.name]) for job, total in asked]
    return shared


def _add_up(totals: Iterable[Total]) -> dict[str, Any]:
    """Sums by name, in float64 where the device has it; a single part is answered by itself, several by a tuple."""
    sums: dict[str, tuple[Tensor, ...]] = {}
    for total in totals:
        parts = tuple(part.to(_widest(part)) for part in total.parts)
        if total.name in sums:
            parts = tuple(old + part.to(old.device) for old, part in zip(sums[total.name], parts))
        sums[total.name] = parts
    return {name: parts[0] if len(parts) == 1 else parts for name, parts in sums.items()}


def _widest(part: Tensor) -> torch.dtype:
    return torch.float32 if part.device.type == "mps" else torch.float64
