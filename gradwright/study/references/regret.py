"""Regret: how far optimizers at their own settings stay behind a tuned AdamW, task by task and over all."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradwright.study.record.study import FINISHED, RunRecord, Study
from gradwright.study.references.table import Reference, reference
from gradwright.study.tasks.seeding import derive

DRAWS = 10_000
LEVEL = 0.95


@dataclass(frozen=True)
class Regret:
    """The regrets of one contender, as shares: 0.01 is one per cent of the way from the untrained model to L*.

    Args:
        contender: its label.
        tasks: the mean over seeds for each task.
        mean: over tasks.
        worst: of all tasks.
        low, high: a 95 % interval of the mean: tasks are drawn anew, and seeds within each.
        trials: the median over tasks of how many random settings of AdamW the default is worth.
        not_finite: runs that diverged or failed.
        stale: tasks whose data are not those of the reference, so that only the shares can be compared.
    """

    contender: str
    tasks: dict[str, float]
    mean: float
    worst: float
    low: float
    high: float
    trials: float
    not_finite: int
    stale: tuple[str, ...]


def regrets(study: Study) -> list[Regret]:
    """The regrets of every contender of a study, least mean first; of tasks with a reference and its budget alone.

    Args:
        study: runs at settings that nobody tuned: a study over a grid of learning rates has none.
    """
    known = {note.name: found for note in study.tasks if (found := reference(note.name)) is not None}
    found = [made for contender in study.contenders if (made := _of(contender, study, known)) is not None]
    return sorted(found, key=lambda each: each.mean)


def _of(contender: str, study: Study, known: dict[str, Reference]) -> Regret | None:
    per_task: dict[str, list[float]] = {}
    trials, broken = [], 0
    for name, against in known.items():
        runs = [run for run in study.runs if run.contender == contender and run.task == name and run.asked_lr is None]
        runs = [run for run in runs if run.steps == against.steps or run.status != FINISHED]
        if not runs:
            continue
        metric = next(note.metric.name for note in study.tasks if note.name == name)
        ends = [_end(run, metric) for run in runs]
        broken += sum(run.status != FINISHED for run in runs)
        per_task[name] = [against.regret(end) for end in ends]
        trials.append(against.worth_trials(statistics.fmean(min(end, against.start) for end in ends)))
    if not per_task:
        return None
    means = {name: statistics.fmean(values) for name, values in per_task.items()}
    low, high = _interval(list(per_task.values()))
    hashes = {note.name: dict(note.data) for note in study.tasks}
    stale = tuple(name for name in per_task if hashes[name] != dict(known[name].data))
    return Regret(
        contender,
        means,
        statistics.fmean(means.values()),
        max(means.values()),
        low,
        high,
        statistics.median(trials),
        broken,
        stale,
    )


def _end(run: RunRecord, metric: str) -> float:
    return run.final(metric) if run.status == FINISHED else float("inf")


def _interval(tasks: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Percentiles of the mean over tasks drawn with replacement, each with seeds drawn with replacement."""
    rng = np.random.default_rng(derive("regret", len(tasks)) % 2**63)
    drawn = np.stack(
        [np.asarray(seeds)[rng.integers(len(seeds), size=(DRAWS, len(seeds)))].mean(1) for seeds in tasks], axis=1
    )
    chosen = rng.integers(len(tasks), size=drawn.shape)
    means = np.take_along_axis(drawn, chosen, axis=1).mean(1)
    edge = (1 - LEVEL) / 2
    return tuple(np.quantile(means, (edge, 1 - edge)).tolist())
