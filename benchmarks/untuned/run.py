"""One measured run, and what tells it from others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from gradwright.study.record.study import FINISHED
from gradwright.study.references.outcome import Outcome


class Key(NamedTuple):
    """What is asked for.

    Attributes:
        task: the name of the task, without nuisances.
        nuisance: as ``compare`` takes it, or the empty string.
        optimizer: its name.
        factor: of its own learning rate.
        seed: the number of the seed.
    """

    task: str
    nuisance: str
    optimizer: str
    factor: float
    seed: int

    @property
    def changed_task(self) -> str:
        """The task with its nuisance, as ``compare`` calls it."""
        return f"{self.task}[{self.nuisance}]" if self.nuisance else self.task


@dataclass(frozen=True)
class Run:
    """What came out.

    Attributes:
        key: what was asked for.
        status: finished, diverged or failed.
        reason: why it did not finish.
        steps: taken.
        curve: the evaluations as (step, value of the task's metric).
        bytes: of state, per parameter.
        settings: the digest of the optimizer's settings and parts.
        place: the number of the environment in the file.
    """

    key: Key
    status: str
    reason: str
    steps: int
    curve: tuple[tuple[int, float], ...]
    bytes: float
    settings: str
    place: int

    @property
    def outcome(self) -> Outcome:
        """The run as the study's statistics take it."""
        key = self.key
        return Outcome(key.optimizer, key.changed_task, key.seed, self.steps, self.status == FINISHED, self.curve)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and words; what is not finite is null."""
        row = {name: value for name, value in asdict(self).items() if name not in ("key", "curve")}
        curve = [[step, _plain(value)] for step, value in self.curve]
        return {**self.key._asdict(), **row, "bytes": _plain(self.bytes), "curve": curve}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Run:
        """A run as :meth:`to_json` wrote it."""
        given = {name: value for name, value in row.items() if name not in Key._fields}
        given["curve"] = tuple((step, math.nan if value is None else value) for step, value in given["curve"])
        given["bytes"] = math.nan if given["bytes"] is None else given["bytes"]
        return cls(Key(*(row[name] for name in Key._fields)), **given)


def _plain(value: float) -> float | None:
    return float(f"{value:.8g}") if math.isfinite(value) else None
