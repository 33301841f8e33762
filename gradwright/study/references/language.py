"""What a share of the way hides on language: the nats above a tuned AdamW, and the steps to where it ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradwright.study.references.bootstrap import DRAWS, interval
from gradwright.study.references.outcome import Outcome
from gradwright.study.references.table import Reference
from gradwright.study.tasks.seeding import derive
from gradwright.study.tasks.task import Metric


@dataclass(frozen=True)
class Excess:
    """One contender on one task.

    Args:
        contender: its label.
        task: the task's name.
        end: its mean loss at the reference's number of steps.
        nats: that minus L*; below 0 where it is better than the tuned AdamW.
        nats_low, nats_high: a 95 % interval; the seeds of both are drawn anew.
        steps: the steps after which the mean curve is at L*, as a share of the reference's; ``inf``: not in the
            steps that it was given, which may be more than the reference had, or a run did not finish.
        steps_low, steps_high: a 95 % interval of it.
        given: the steps that it was given, as a share.
    """

    contender: str
    task: str
    end: float
    nats: float
    nats_low: float
    nats_high: float
    steps: float
    steps_low: float
    steps_high: float
    given: float


def excess(contender: str, runs: Sequence[Outcome], against: Reference, longer: Sequence[Outcome] = ()) -> Excess:
    """Excess loss and steps to target of one contender.

    Args:
        contender: its label.
        runs: at the reference's number of steps.
        against: the reference.
        longer: runs over more steps, of a contender that knows no horizon, to see when it arrives.
    """
    ends = np.array([run.end if run.finished else against.start for run in runs])
    rng = np.random.default_rng(derive("excess", contender) % 2**63)
    fresh = np.asarray(against.fresh)
    nats_low, nats_high = interval(_means(ends, rng) - _means(fresh, rng))
    steps = _Arrival.of(longer or runs, against)
    return Excess(
        contender,
        against.task,
        float(ends.mean()),
        float(ends.mean() - fresh.mean()),
        float(nats_low),
        float(nats_high),
        *(steps.seen(rng) if steps else (math.inf, math.inf, math.inf)),
        max((run.steps for run in longer or runs), default=0) / against.steps,
    )


def in_nats(metric: Metric) -> bool:
    """Whether a metric counts nats per symbol, as those of language do."""
    return "nats per" in metric.label


def _means(values: np.ndarray, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    return values[rng.integers(len(values), size=(draws, len(values)))].mean(1)


@dataclass(frozen=True)
class _Arrival:
    """The curves of several seeds ``(seeds, points)`` at the same steps, as shares of the reference's."""

    at: np.ndarray
    curves: np.ndarray
    target: float

    @classmethod
    def of(cls, runs: Sequence[Outcome], against: Reference) -> _Arrival | None:
        if not runs or not all(run.finished for run in runs):
            return None
        at = np.array([step for step, _ in runs[0].curve]) / against.steps
        return cls(at, np.array([[value for _, value in run.curve] for run in runs]), against.best)

    def seen(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """The arrival of the mean curve and its interval."""
        picks = rng.integers(len(self.curves), size=(DRAWS // 10, len(self.curves)))
        low, high = np.quantile(
            [self._first(self.curves[pick].mean(0)) for pick in picks], (0.025, 0.975), method="nearest"
        )
        return self._first(self.curves.mean(0)), float(low), float(high)

    def _first(self, curve: np.ndarray) -> float:
        """Where the curve first is at the target, on the straight line between two evaluations."""
        (below,) = np.nonzero(curve <= self.target)
        if not len(below):
            return math.inf
        if below[0] == 0:
            return float(self.at[0])
        before, after = below[0] - 1, below[0]
        share = (curve[before] - self.target) / (curve[before] - curve[after])
        return float(self.at[before] + share * (self.at[after] - self.at[before]))
