"""Who won, and how far one may believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from gradwright.study.record.study import Study, TaskNote
from gradwright.study.record.words import difference, listing, value
from gradwright.study.report.statistics import Gap, probability_of_improvement, seeds_needed, welch
from gradwright.study.report.summary import Arm, ranking

ALPHA = 0.05


@dataclass(frozen=True)
class Verdict:
    """The ranking of one task and what the noise between seeds allows to say.

    Args:
        ranked: one arm for each contender, the best first, diverged and failed ones last.
        noun: what is compared: "optimizer", "loss" or "pair".
        gaps: how much worse than the winner each other eligible arm is (positive), with its 95 % interval.

    A win is clear where every interval leaves out zero. "Better than each of the others" needs no correction for many
    comparisons: all of them must hold at once (an intersection-union test), which luck brings about less than 1 time
    in 20 however many take part.
    """

    task: TaskNote
    noun: str
    ranked: tuple[Arm, ...]
    gaps: dict[str, Gap]

    @property
    def winner(self) -> Arm | None:
        """The best arm all of whose runs finished."""
        return self.ranked[0] if self.ranked and self.ranked[0].eligible else None

    @property
    def second(self) -> Arm | None:
        """The next best eligible arm."""
        return self.ranked[1] if len(self.ranked) > 1 and self.ranked[1].eligible else None

    @property
    def tied(self) -> list[str]:
        """Those that cannot be told from the winner at these seeds."""
        return [name for name, gap in self.gaps.items() if gap.p >= ALPHA]

    @property
    def kind(self) -> str:
        """ "none", "alone", "single" (one seed shows no noise), "tied" or "clear"."""
        if self.winner is None:
            return "none"
        if self.second is None:
            return "alone"
        if any(math.isnan(gap.p) for gap in self.gaps.values()):
            return "single"
        return "tied" if self.tied else "clear"


def verdict(study: Study, task: TaskNote) -> Verdict:
    """Rank the contenders of a task and compare the winner with each of the others."""
    ranked = tuple(ranking(study, task))
    gaps: dict[str, Gap] = {}
    if ranked and ranked[0].eligible:
        sign = 1.0 if task.metric.lower_is_better else -1.0
        best = [sign * value for value in ranked[0].values()]
        gaps = {arm.contender: welch(best, [sign * v for v in arm.values()]) for arm in ranked[1:] if arm.eligible}
    return Verdict(task, study.noun, ranked, gaps)


def headline(v: Verdict) -> str:
    """One sentence: who won."""
    if v.winner is None:
        return f"Nobody won {v.task.name}: no {v.noun} finished all its runs"
    name = v.winner.contender
    return {
        "alone": f"{name} {'ran alone' if len(v.ranked) == 1 else 'is the only one that finished'} on {v.task.name}",
        "single": f"{name} came first on {v.task.name}, but one seed proves nothing",
        "tied": f"{name} came first on {v.task.name}, too close to call",
        "clear": f"{name} won {v.task.name}",
    }[v.kind]


class Beside(NamedTuple):
    """The winner beside a rival by every metric: ``rows`` of a label, both values, and which is better (0 or 1)."""

    winner: str
    rival: str
    rows: list[tuple[str, str, str, int]]


def beside(v: Verdict, first: str) -> Beside | None:
    """The winner beside ``first``, or beside the next where that is itself; None where nobody else finished."""
    others = [arm for arm in v.ranked if arm is not v.winner and arm.eligible]
    rival = next((arm for arm in others if arm.contender == first), v.second)
    if v.winner is None or rival is None:
        return None
    rows = []
    for metric in v.task.metrics:
        a, b = (arm.summary(metric.name).mean for arm in (v.winner, rival))
        rows.append((metric.label, value(metric, a), value(metric, b), int((b < a) == metric.lower_is_better)))
    return Beside(v.winner.contender, rival.contender, rows)


def explanation(v: Verdict) -> str:
    """The gap against the noise, in one or two sentences."""
    if v.winner is None or v.second is None:
        return "There is nothing to compare it with." if v.winner else "See the table for what happened to each."
    best, second = v.winner, v.second
    gap = v.gaps[second.contender]
    metric = v.task.metric
    size, low, high = difference(metric, gap.difference, gap.low, gap.high)
    lead = (
        f"{best.contender} ended at {value(metric, best.summary().mean)}, {second.contender}, the next, at "
        f"{value(metric, second.summary().mean)}: a gap of {size}{' points' if metric.share else ''}"
    )
    if v.kind == "single":
        return f"{lead}. How much of it is luck, one seed cannot say: run at least three."
    seeds = f"{best.summary().n} and {second.summary().n} seeds"
    if best.summary().n == second.summary().n:
        seeds = f"{best.summary().n} seeds each"
    lead += f", 95 % interval {low} to {high} over {seeds}"
    if v.kind == "clear":
        return f"{lead}. The gap is larger than the noise between seeds, for this one and for all the others."
    if v.tied[0] != second.contender:
        return f"{lead}. The noise of {listing(v.tied)} is too large to tell from the winner."
    needed = seeds_needed(best.values(), second.values())
    chance = probability_of_improvement(
        *([x if metric.lower_is_better else -x for x in arm.values()] for arm in (best, second))
    )
    advice = f"about {needed:.0f} seeds would settle it" if needed <= 1000 else "no practical number of seeds would"
    return (
        f"{lead}. That is within the noise between seeds: {best.contender} beat {second.contender} in "
        f"{100 * chance:.0f} % of the pairs of runs, and {advice}. Not told apart from the winner: {listing(v.tied)}."
    )
