"""The stored references: a grid of learning rates and schedules of AdamW for each task, and its best cell."""

from __future__ import annotations

import functools
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from gradwright.study.tasks.nuisance import NEUTRAL

RULE = "torch:AdamW"
"""The optimizer that is tuned."""


@dataclass(frozen=True)
class Cell:
    """What one setting of the tuned optimizer came to.

    Args:
        lr: its learning rate.
        schedule: its schedule over the budget.
        ends: the last value of the task's metric for each seed; ``inf`` where the run diverged.
    """

    lr: float
    schedule: str
    ends: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.fmean(self.ends)


@dataclass(frozen=True)
class Reference:
    """What a tuned AdamW reaches on a task.

    Args:
        task: the name of the task.
        steps: of each run.
        start: the metric of the untrained model, the mean over seeds.
        grid: every setting that was tried.
        fresh: the ends of the best setting at seeds that did not choose it: the luck of being the best is not in them.
        data: the task's data sets and their hashes.
        environment: the versions and the machine it was computed with.
    """

    task: str
    steps: int
    start: float
    grid: tuple[Cell, ...]
    fresh: tuple[float, ...]
    data: Mapping[str, str]
    environment: Mapping[str, Any]

    @property
    def chosen(self) -> Cell:
        """The best setting."""
        return min(self.grid, key=lambda cell: cell.mean)

    @property
    def best(self) -> float:
        """L*: its mean at fresh seeds."""
        return statistics.fmean(self.fresh or self.chosen.ends)

    @property
    def interior(self) -> bool:
        """Whether the best learning rate lies within the grid, not at its edge."""
        rates = sorted({cell.lr for cell in self.grid})
        return rates[0] < self.chosen.lr < rates[-1]

    def regret(self, end: float) -> float:
        """The share of the way from the untrained model to L* that is missing at ``end``; 1 where a run diverged.

        It is below 0 for what is better than the tuned AdamW, and at most 1.
        """
        if not math.isfinite(end):
            return 1.0
        return min(1.0, (end - self.best) / (self.start - self.best))

    def worth_trials(self, end: float) -> float:
        r"""How many random settings of the grid one must try to expect an end as good; ``inf`` if all do not do.

        The expected best of K draws without replacement from n sorted ends :math:`x_1 \le \dots \le x_n` is
        :math:`\sum_i x_i \binom{n - i}{K - 1} / \binom{n}{K}`.
        """
        ends = sorted(min(cell.mean, self.start) for cell in self.grid)
        n = len(ends)
        for trials in range(1, n + 1):
            draws = math.comb(n, trials)
            expected = sum(x * math.comb(n - i, trials - 1) for i, x in enumerate(ends, start=1)) / draws
            if expected <= end:
                return trials
        return math.inf

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and words; a run that diverged is null."""
        return {
            "task": self.task,
            "steps": self.steps,
            "start": self.start,
            "grid": [{"lr": c.lr, "schedule": c.schedule, "ends": _plain(c.ends)} for c in self.grid],
            "fresh": _plain(self.fresh),
            "data": dict(self.data),
            "environment": dict(self.environment),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Reference:
        """A reference as :meth:`to_json` wrote it."""
        grid = tuple(Cell(cell["lr"], cell["schedule"], _numbers(cell["ends"])) for cell in found["grid"])
        fresh = _numbers(found["fresh"])
        return cls(found["task"], found["steps"], found["start"], grid, fresh, found["data"], found["environment"])


def reference(task: str) -> Reference | None:
    """The stored reference of a task; ``None`` where there is none.

    Nuisances that leave the problem as it is (``loss``, ``init``, ``input``, ``weights``) do not change what a tuned
    optimizer can reach: with these alone it is the reference of the task without them. A batch size or a number of
    steps needs a search of its own.

    Args:
        task: its name, nuisances in brackets.
    """
    base, _, changes = task.partition("[")
    same = all(word.partition("=")[0] in NEUTRAL for word in changes.rstrip("]").split(","))
    return _stored().get(task) or (_stored().get(base) if changes and same else None)


def stored_tasks() -> tuple[str, ...]:
    """The names of the tasks that have a reference."""
    return tuple(_stored())


@functools.cache
def _stored() -> dict[str, Reference]:
    file = files(__package__).joinpath("references.json")
    if not file.is_file():
        return {}
    rows = json.loads(file.read_text(encoding="utf-8"))
    return {row["task"]: Reference.from_json(row) for row in rows if row["fresh"]}  # without, it is being made


def _plain(ends: Sequence[float]) -> list[float | None]:
    return [end if math.isfinite(end) else None for end in ends]


def _numbers(ends: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(math.inf if end is None else float(end) for end in ends)
