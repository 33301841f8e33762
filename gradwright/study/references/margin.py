"""Margins: how far one contender is ahead of another, task by task and over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradwright.study.references.bootstrap import drawn, interval
from gradwright.study.references.outcome import Outcome, references_of, shares


@dataclass(frozen=True)
class Margin:
    """How far ``subject`` is ahead of ``rival``, in shares of the way from the untrained model to the tuned AdamW.

    Args:
        subject, rival: the labels.
        tasks: for each task that both have, the rival's mean regret minus the subject's.
        mean: over tasks; above 0 where the subject is ahead.
        low, high: a 95 % interval of the mean: tasks are drawn anew for both, seeds for each.
        probability: that a run of the subject ends lower than one of the rival on the same task; ties count half.
    """

    subject: str
    rival: str
    tasks: dict[str, float]
    mean: float
    low: float
    high: float
    probability: float

    @property
    def ahead(self) -> int:
        """The tasks on which the subject's mean is lower."""
        return sum(margin > 0 for margin in self.tasks.values())


def margins(runs: Sequence[Outcome], subject: str) -> list[Margin]:
    """The margins of one contender over every other, the closest rival first; over tasks with a reference.

    Args:
        runs: at settings that nobody tuned.
        subject: whose margins.
    """
    found = shares(runs, references_of(runs))
    mine = found.get(subject, {})
    made = [
        _margin(subject, rival, mine, theirs)
        for rival, theirs in found.items()
        if rival != subject and mine.keys() & theirs.keys()
    ]
    return sorted(made, key=lambda each: each.mean)


def _margin(subject: str, rival: str, mine: dict[str, list[float]], theirs: dict[str, list[float]]) -> Margin:
    names = [name for name in mine if name in theirs]
    ours, others = drawn([[mine[name] for name in names], [theirs[name] for name in names]])
    low, high = interval((others - ours).mean(1))
    apart = {name: float(np.mean(theirs[name]) - np.mean(mine[name])) for name in names}
    better = [_probability(mine[name], theirs[name]) for name in names]
    return Margin(
        subject, rival, apart, float(np.mean(list(apart.values()))), float(low), float(high), float(np.mean(better))
    )


def _probability(mine: Sequence[float], theirs: Sequence[float]) -> float:
    ours, others = np.asarray(mine)[:, None], np.asarray(theirs)[None]
    return float(((ours < others) + 0.5 * (ours == others)).mean())
