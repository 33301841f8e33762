"""Regret: how far optimizers at their own settings stay behind a tuned AdamW, task by task and over all."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradwright.study.record.study import Study
from gradwright.study.references.bootstrap import drawn, interval
from gradwright.study.references.outcome import Outcome, by_column, comparable, outcomes, references_of, shares
from gradwright.study.references.table import Reference
from gradwright.study.tasks import column


@dataclass(frozen=True)
class Regret:
    """The regrets of one contender on one column of tasks, as shares: 0.01 is one per cent of the way from the
    untrained model to L*.

    Args:
        contender: its label.
        column: where the tasks stand, a key of :data:`gradwright.study.tasks.COLUMNS`; empty for tasks of none. What
            settings were chosen on and what they were not chosen on has no common mean.
        tasks: the mean over seeds for each task.
        mean: over tasks.
        worst: of all tasks.
        low, high: a 95 % interval of the mean: tasks are drawn anew, and seeds within each.
        trials: the median over tasks of how many random settings of AdamW the default is worth.
        not_finite: runs that diverged or failed.
        stale: tasks whose data are not those of the reference, so that only the shares can be compared.
    """

    contender: str
    column: str
    tasks: dict[str, float]
    mean: float
    worst: float
    low: float
    high: float
    trials: float
    not_finite: int
    stale: tuple[str, ...]


def regrets(study: Study) -> list[Regret]:
    """The regrets of every contender of a study, column by column, least mean first; of tasks with a reference and its
    budget alone.

    Args:
        study: runs at settings that nobody tuned: a study over a grid of learning rates has none.
    """
    return regrets_of(outcomes(study), {note.name: note.data for note in study.tasks})


def regrets_of(runs: Sequence[Outcome], data: Mapping[str, Mapping[str, str]]) -> list[Regret]:
    """The same of runs from anywhere.

    Args:
        runs: at settings that nobody tuned.
        data: for each task the hashes of the data that they had.
    """
    known = references_of(runs)
    made: list[Regret] = []
    for inside in by_column(comparable(runs, known)).values():
        found = shares(inside, known)
        rows = [_of([run for run in inside if run.contender == name], found[name], known, data) for name in found]
        made += sorted(rows, key=lambda each: each.mean)
    return made


def _of(
    runs: Sequence[Outcome],
    tasks: Mapping[str, list[float]],
    known: Mapping[str, Reference],
    data: Mapping[str, Mapping[str, str]],
) -> Regret:
    means = {name: statistics.fmean(values) for name, values in tasks.items()}
    low, high = interval(drawn([list(tasks.values())])[0].mean(1))
    return Regret(
        runs[0].contender,
        column(runs[0].task),
        means,
        statistics.fmean(means.values()),
        max(means.values()),
        float(low),
        float(high),
        statistics.median(_trials([run for run in runs if run.task == name], known[name]) for name in tasks),
        sum(not run.finished for run in runs),
        tuple(name for name in tasks if dict(data[name]) != dict(known[name].data)),
    )


def _trials(runs: Sequence[Outcome], against: Reference) -> float:
    return against.worth_trials(statistics.fmean(min(run.end, against.start) for run in runs))
