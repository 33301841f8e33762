"""Runs gathered into what is compared: a contender, an optimizer or a loss, at a learning rate, over its seeds."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from gradwright.study.record.study import DIVERGED, FAILED, FINISHED, NO_PROGRESS, RunRecord, Study, TaskNote
from gradwright.study.report.statistics import Summary, summarise
from gradwright.study.tasks.task import Metric

TROUBLES = (NO_PROGRESS, DIVERGED, FAILED)
"""How a run can end that cannot win, the worst last."""


@dataclass(frozen=True)
class Arm:
    """One contender at one learning rate on one task."""

    contender: str
    metric: Metric
    runs: tuple[RunRecord, ...]

    @property
    def lr(self) -> float:
        """The learning rate; nan where no optimizer was ever built."""
        return self.median("lr")

    @property
    def finished(self) -> tuple[RunRecord, ...]:
        """The runs that got better."""
        return tuple(run for run in self.runs if run.status == FINISHED)

    @property
    def eligible(self) -> bool:
        """Whether it may win: every run finished. A mean over the lucky seeds only would flatter."""
        return bool(self.runs) and len(self.finished) == len(self.runs)

    def values(self, metric: str | None = None) -> list[float]:
        """The final values of a metric, one for each finished run."""
        return [run.final(metric or self.metric.name) for run in self.finished]

    def summary(self, metric: str | None = None) -> Summary:
        """Mean and deviation of :meth:`values`."""
        return summarise(self.values(metric))

    @property
    def best_step(self) -> float:
        """The median over seeds of the step of the best evaluation."""
        return statistics.median([run.best_step(self.metric) for run in self.finished]) if self.finished else math.nan

    def median(self, name: str) -> float:
        """The median over the runs that measured it of a number of the record."""
        found = [value for run in self.runs if math.isfinite(value := getattr(run, name))]
        return statistics.median(found) if found else math.nan

    @property
    def trouble(self) -> str:
        """ "2 of 3 diverged", "no progress in 1 of 3", "failed", or empty."""
        counts = [(word, sum(run.status == word for run in self.runs)) for word in TROUBLES]
        return ", ".join(_share(word, n, len(self.runs)) for word, n in counts if n)

    @property
    def reason(self) -> str:
        """The sentence of the first run in trouble."""
        return next((run.reason for run in self.runs if run.status != FINISHED), "")

    @property
    def order(self) -> tuple[float, float]:
        """A key that sorts the best first and trouble last."""
        mean = self.summary().mean
        if math.isnan(mean):
            return 2.0 + max(map(TROUBLES.index, {run.status for run in self.runs}), default=0), 0.0
        return float(not self.eligible), mean if self.metric.lower_is_better else -mean


def _share(word: str, count: int, runs: int) -> str:
    """How many of the runs of an arm ended so."""
    if count == runs:
        return word
    return f"{word} in {count} of {runs}" if word == NO_PROGRESS else f"{count} of {runs} {word}"


def arms(study: Study, task: TaskNote) -> dict[str, list[Arm]]:
    """For each contender, in the order it was asked for, its arms by rising learning rate."""
    found: dict[str, dict[float | None, list[RunRecord]]] = {}
    for run in study.runs:
        if run.task == task.name:
            found.setdefault(run.contender, {}).setdefault(run.asked_lr, []).append(run)
    return {
        name: sorted((Arm(name, task.metric, tuple(runs)) for runs in by_lr.values()), key=lambda arm: arm.lr)
        for name, by_lr in found.items()
    }


def ranking(study: Study, task: TaskNote) -> list[Arm]:
    """One arm for each contender, at its best learning rate, the best first."""
    return sorted((min(each, key=lambda arm: arm.order) for each in arms(study, task).values()), key=lambda a: a.order)


def initial(study: Study, task: TaskNote) -> float:
    """The mean of the ranking metric before the first step."""
    values = [run.points[0].metrics[task.metric.name] for run in study.runs if run.task == task.name and run.points]
    return summarise([value for value in values if math.isfinite(value)]).mean


def regrets(study: Study, task: TaskNote) -> dict[str, float]:
    r"""The share of the way from the start to the winner that each contender is short of, in [0, 1].

    .. math:: r = (\bar L - L^*) / (L_0 - L^*), \qquad r = 1 \text{ for one in trouble}
    """
    ranked = ranking(study, task)
    best, start = ranked[0].summary().mean, initial(study, task)
    found = {}
    for arm in ranked:
        mean = arm.summary().mean
        short = (mean - best) / (start - best) if start != best else 0.0
        found[arm.contender] = min(1.0, max(0.0, short)) if arm.eligible and math.isfinite(short) else 1.0
    return found


def basin(each: list[Arm], start: float, share: float = 0.05) -> float:
    """Decades of learning rate within ``share`` of the gap to the best: linear in log lr, an arm in trouble counts as
    the start.

    >>> basin([], 1.0)
    nan
    """
    if len(each) < 2:
        return math.nan
    sign = 1.0 if each[0].metric.lower_is_better else -1.0
    start *= sign
    losses = [min(start, sign * arm.summary().mean) if arm.eligible else start for arm in each]
    best = min(losses)
    if not best < start:
        return math.nan
    limit = best + share * (start - best)
    width = 0.0
    for (a, la), (b, lb) in zip(list(zip(each, losses))[:-1], list(zip(each, losses))[1:]):
        low, high = sorted((la, lb))
        if low <= limit:
            inside = 1.0 if high <= limit else (limit - low) / (high - low)
            width += inside * (math.log10(b.lr) - math.log10(a.lr))
    return width
