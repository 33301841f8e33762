"""Outcomes: how runs at settings that nobody tuned ended, and what they had reached on the way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gradwright.study.record.study import FINISHED, Study
from gradwright.study.references.table import Reference, reference
from gradwright.study.tasks import COLUMNS, column

Shares = dict[str, dict[str, list[float]]]
"""Regrets as {contender: {task: one for each seed}}."""


class Outcome(NamedTuple):
    """One run.

    Args:
        contender: its label.
        task: the name of the task, nuisances in brackets.
        seed: its number.
        steps: taken.
        finished: whether it neither diverged nor failed.
        curve: the evaluations as (step, value of the task's metric), the first of the untrained model.
    """

    contender: str
    task: str
    seed: int
    steps: int
    finished: bool
    curve: tuple[tuple[int, float], ...]

    @property
    def end(self) -> float:
        """The last value; infinite where the run did not finish."""
        return self.curve[-1][1] if self.finished and self.curve else math.inf


def outcomes(study: Study) -> list[Outcome]:
    """The runs of a study at the contenders' own learning rates: those of a grid are tuned."""
    metrics = {note.name: note.metric.name for note in study.tasks}
    return [
        Outcome(
            run.contender,
            run.task,
            run.seed,
            run.steps,
            run.status == FINISHED,
            tuple((point.step, point.metrics[metrics[run.task]]) for point in run.points),
        )
        for run in study.runs
        if run.asked_lr is None
    ]


def references_of(runs: Iterable[Outcome]) -> dict[str, Reference]:
    """The stored references of the tasks of these runs, in the order in which they appear."""
    found = {name: reference(name) for name in dict.fromkeys(run.task for run in runs)}
    return {name: against for name, against in found.items() if against is not None}


def comparable(runs: Iterable[Outcome], known: Mapping[str, Reference]) -> list[Outcome]:
    """The runs that had the budget of their reference, or did not come to its end."""
    return [run for run in runs if run.task in known and (not run.finished or run.steps == known[run.task].steps)]


def by_column(runs: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The runs by the column of their tasks, in the order of the columns; tasks of none come last."""
    found: dict[str, list[Outcome]] = {key: [] for key in (*COLUMNS, "")}
    for run in runs:
        found[column(run.task)].append(run)
    return {key: inside for key, inside in found.items() if inside}


def shares(runs: Sequence[Outcome], known: Mapping[str, Reference]) -> Shares:
    """The regret of every comparable run."""
    found: Shares = {}
    order = list(known)
    for run in sorted(comparable(runs, known), key=lambda run: order.index(run.task)):
        found.setdefault(run.contender, {}).setdefault(run.task, []).append(known[run.task].regret(run.end))
    return found
