"""Who won, and how far one may believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradwright.study.record import Study, TaskNote
from gradwright.study.statistics import Gap, probability_of_improvement, seeds_needed, welch
from gradwright.study.summary import Arm, ranking

ALPHA = 0.05


@dataclass(frozen=True)
class Verdict:
    """The ranking of one task and what the noise between seeds allows to say.

    Args:
        ranked: one arm for each optimizer, the best first, diverged and failed ones last.
        gaps: how much worse than the winner each other eligible arm is (positive), with its 95 % interval.

    A win is clear where every interval leaves out zero. "Better than each of the others" needs no correction for many
    comparisons: all of them must hold at once (an intersection-union test), which luck brings about less than 1 time
    in 20 however many take part.
    """

    task: TaskNote
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
    """Rank the optimizers of a task and compare the winner with each of the others."""
    ranked = tuple(ranking(study, task))
    gaps: dict[str, Gap] = {}
    if ranked and ranked[0].eligible:
        sign = 1.0 if task.metric.lower_is_better else -1.0
        best = [sign * value for value in ranked[0].values()]
        gaps = {arm.optimizer: welch(best, [sign * v for v in arm.values()]) for arm in ranked[1:] if arm.eligible}
    return Verdict(task, ranked, gaps)


def headline(v: Verdict) -> str:
    """One sentence: who won."""
    if v.winner is None:
        return f"Nobody won {v.task.name}: no optimizer finished all its runs"
    name = v.winner.optimizer
    return {
        "alone": f"{name} {'ran alone' if len(v.ranked) == 1 else 'is the only one that finished'} on {v.task.name}",
        "single": f"{name} came first on {v.task.name}, but one seed proves nothing",
        "tied": f"{name} came first on {v.task.name}, too close to call",
        "clear": f"{name} won {v.task.name}",
    }[v.kind]


def explanation(v: Verdict) -> str:
    """The gap against the noise, in one or two sentences."""
    if v.winner is None or v.second is None:
        return "There is nothing to compare it with." if v.winner else "See the table for what happened to each."
    best, second = v.winner, v.second
    gap = v.gaps[second.optimizer]
    digits = decimals(gap.difference)
    lead = (
        f"{best.optimizer} ended at {number(best.summary().mean)}, {second.optimizer}, the next, at "
        f"{number(second.summary().mean)}: a gap of {gap.difference:.{digits}f}"
    )
    if v.kind == "single":
        return f"{lead}. How much of it is luck, one seed cannot say: run at least three."
    seeds = f"{best.summary().n} and {second.summary().n} seeds"
    if best.summary().n == second.summary().n:
        seeds = f"{best.summary().n} seeds each"
    lead += f", 95 % interval {gap.low:.{digits}f} to {gap.high:.{digits}f} over {seeds}"
    if v.kind == "clear":
        return f"{lead}. The gap is larger than the noise between seeds, for this one and for all the others."
    if v.tied[0] != second.optimizer:
        return f"{lead}. The noise of {listing(v.tied)} is too large to tell from the winner."
    needed = seeds_needed(best.values(), second.values())
    chance = probability_of_improvement(
        *([value if v.task.metric.lower_is_better else -value for value in arm.values()] for arm in (best, second))
    )
    advice = f"about {needed:.0f} seeds would settle it" if needed <= 1000 else "no practical number of seeds would"
    return (
        f"{lead}. That is within the noise between seeds: {best.optimizer} beat {second.optimizer} in "
        f"{100 * chance:.0f} % of the pairs of runs, and {advice}. Not told apart from the winner: {listing(v.tied)}."
    )


def listing(names: list[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def decimals(value: float, significant: int = 2) -> int:
    """Decimals that show ``significant`` digits of a value."""
    if not math.isfinite(value) or value == 0:
        return 3
    return max(0, significant - 1 - math.floor(math.log10(abs(value))))


def number(value: float, significant: int = 4) -> str:
    """Four significant digits, or a dash where there is nothing.

    >>> number(2.08449), number(float("nan"))
    ('2.084', '–')
    """
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) < 1e-4 or abs(value) >= 1e6 or math.isinf(value):
        return f"{value:.3g}"
    return f"{value:.{min(decimals(value, significant), 6)}f}"


def plus_minus(mean: float, deviation: float) -> str:
    """The mean to the digits that its deviation justifies, five at most.

    >>> plus_minus(2.08449, 0.0213)
    '2.084 ± 0.021'
    """
    if math.isnan(mean) or math.isnan(deviation) or deviation == 0:
        return number(mean)
    digits = min(decimals(deviation), decimals(mean, 5))
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"
