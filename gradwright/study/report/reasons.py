"""Why one should believe a result, and what speaks against it: said for every study, asked or not."""

from __future__ import annotations

import statistics
from typing import NamedTuple

import numpy as np

from gradwright.study.record.study import DIVERGED, FAILED, NO_PROGRESS, Study
from gradwright.study.record.words import listing, number, value
from gradwright.study.report.summary import Arm, arms
from gradwright.study.report.verdict import Verdict

GOOD, WARN, NOTE = "good", "warn", "note"
FELL = 0.02
"""The share by which the training loss must fall to count as falling: means over few batches differ by less."""


class Reason(NamedTuple):
    """A sentence for or against, its weight (good, warn or note) and the word by which it is found."""

    weight: str
    title: str
    text: str


def reasons(study: Study, v: Verdict) -> list[Reason]:
    """The reasons in the order a critical reader would ask."""
    found = [
        _start(v),
        _judge(study, v),
        _seeds(study, v),
        _noise(v),
        _budget(study, v),
        _time(v),
        _early(v),
        _rates(study, v),
        _trouble(v),
    ]
    return [*(reason for reason in found if reason is not None), _scope()]


def _start(v: Verdict) -> Reason:
    return Reason(
        GOOD,
        "Same start, same data",
        f"At a given seed every {v.noun} began from the same weights and saw the same batches.",
    )


def _judge(study: Study, v: Verdict) -> Reason | None:
    """By what losses are judged, and with what settings they ran."""
    if v.noun == "optimizer":
        return None
    notes = "; ".join(study.settings.get("loss_notes", ()))
    text = f"Ranked by {v.task.metric.label}, which none of the losses is. What a name does not say is that loss's "
    text += f"default ({notes})." if notes else "default."
    advice = "To tune a setting by this page and then believe the page would be to judge by what one has learned from."
    return Reason(NOTE, "No loss judges itself", f"{text} {advice}")


def _seeds(study: Study, v: Verdict) -> Reason:
    counts = sorted({len(arm.runs) for arm in v.ranked})
    text = f"{_count(counts[0], 'seed')} for each {v.noun}"
    if len(counts) > 1:
        stopped = f"the study was stopped by hand after {len(study.runs)} of {study.planned} runs"
        text = f"{counts[0]} to {counts[-1]} seeds: {stopped}"
    if counts[0] >= 3:
        weight = GOOD if len(counts) == 1 else WARN
        return Reason(weight, "Seeds", f"{text}; each run is a mark below, none is left out.")
    return Reason(WARN, "Few seeds", f"{text}. Three show the noise, five or more measure it: `--seeds 5`.")


def _noise(v: Verdict) -> Reason | None:
    if v.winner is None or v.second is None:
        return None
    name = v.winner.contender
    if v.kind == "clear":
        largest = max(gap.p for gap in v.gaps.values())
        odds = "less than once in 10 000 times" if largest < 1e-4 else f"at most {100 * largest:.2g} times in 100"
        return Reason(
            GOOD,
            "Larger than the noise",
            f"Were {name} no better than another, seeds alone would show such a gap {odds} (Welch's test, the least "
            f"clear of {len(v.gaps)}).",
        )
    if v.kind == "single":
        return Reason(WARN, "Noise unknown", "With one seed nobody can tell a better method from a lucky draw.")
    return Reason(
        WARN,
        "Within the noise",
        f"The lead of {name} over {listing(v.tied)} could be luck (Welch's test at the 5 % level).",
    )


def _budget(study: Study, v: Verdict) -> Reason:
    what = "the same time" if v.task.timed else "the same number of steps"
    schedule = study.settings["schedule"]
    moving = "constant learning rates" if schedule == "constant" else f"the {schedule} schedule"
    text = f"Every run had {what}: {v.task.budget}, {moving}, judged at the last step, not at its luckiest."
    if v.task.timed:
        return Reason(NOTE, "Same time", f"{text} By the clock: what else the machine did meanwhile slowed some runs.")
    return Reason(GOOD, "Same budget", text)


def _time(v: Verdict) -> Reason | None:
    if v.winner is None or v.second is None or v.task.timed:
        return None
    seconds, name = leader_by_time([arm for arm in v.ranked if arm.eligible])
    cost = v.winner.median("cpu_seconds_per_step") / v.second.median("cpu_seconds_per_step")
    second = v.second.contender
    if 0.95 <= cost <= 1.05:
        price = f"A step of {v.winner.contender} costs about as much as one of {second}"
    else:
        price = f"A step of {v.winner.contender} takes {cost:.2g} times as long as one of {second}"
    equal = f"given equal processor time ({number(seconds, 2)} s)"
    if name == v.winner.contender:
        return Reason(GOOD, "Also by time", f"{price}; {equal} it still leads.")
    return Reason(WARN, "Not by time", f"{price}; {equal} {name} leads on this machine.")


def _early(v: Verdict) -> Reason | None:
    """Who was clearly better before the end, by a twentieth of the way from the start to the winner."""
    sign = 1 if v.task.metric.lower_is_better else -1
    overfitted, unsteady, best = [], [], {}
    for arm in v.ranked:
        if arm.eligible:
            values = sign * _mean_curve(arm)[1]
            place = int(values.argmin())
            best[arm.contender] = float(values.min())
            if values[-1] - values.min() > 0.05 * (values[0] - sign * v.ranked[0].summary().mean):
                after = f"after {arm.runs[0].points[place].step} steps"
                said = f"{arm.contender} ({value(v.task.metric, abs(float(values.min())))} {after})"
                (overfitted if _still_learned(arm, place) else unsteady).append(said)
    if not overfitted and not unsteady:
        return None
    leader = min(best, key=best.__getitem__)
    change = "the winner is the same" if leader == v.ranked[0].contender else f"{leader} would lead"
    texts = []
    if overfitted:
        texts.append(f"{listing(overfitted)} got worse again while the training loss still fell: overfitting.")
    if unsteady:
        texts.append(f"{listing(unsteady)} got worse again, and the training loss no longer fell: not overfitting.")
    return Reason(WARN, "Better before the end", f"{' '.join(texts)} Judged each at its best evaluation, {change}.")


def _still_learned(arm: Arm, place: int) -> bool:
    """Whether the training loss fell clearly between the evaluation at ``place`` and the end."""
    before, end = (statistics.fmean(run.points[at].train_loss for run in arm.runs) for at in (place, -1))
    return end < before - FELL * abs(before)


def _rates(study: Study, v: Verdict) -> Reason:
    if study.settings.get("lr_grid"):
        edges = [arm.contender for arm in v.ranked if on_edge(arms(study, v.task)[arm.contender], arm)]
        text = f"Each {v.noun} is shown at its best rate, chosen on these same seeds, which flatters all a little"
        if edges:
            advice = f"{listing(edges)} did best at the edge of the grid: widen it before you judge"
            return Reason(WARN, "Grid too narrow", f"{text}. {advice}.")
        return Reason(GOOD, "Learning rates tried", f"{text}. No best one lies on the edge of the grid.")
    if study.settings.get("lr") is not None:
        return Reason(
            WARN,
            "One learning rate for all",
            f"{study.settings['lr']:g} for everyone favours those whom it happens to suit: good rates differ a "
            f"hundredfold between optimizers.",
        )
    if v.noun == "loss":
        return Reason(
            NOTE,
            "One optimizer",
            f"{study.settings['optimizers'][0]} at its default learning rate trained them all. Another rate may suit "
            "another loss: `--lr-grid auto` gives each its best.",
        )
    return Reason(
        NOTE,
        "Nothing was tuned",
        "Each optimizer ran at its own default learning rate; the table says whose it is. This compares defaults, not "
        "what each could do when tuned: ask for that with `--lr-grid auto`.",
    )


def _trouble(v: Verdict) -> Reason | None:
    arms_in_trouble = [arm for arm in v.ranked if arm.trouble]
    if not arms_in_trouble:
        return None
    kinds = {run.status for arm in arms_in_trouble for run in arm.runs}
    title = " or ".join(word for word in (DIVERGED, FAILED, NO_PROGRESS) if word in kinds).capitalize()
    said = listing([_named(arm, title) for arm in arms_in_trouble])
    return Reason(WARN, title, f"{said}. The table says why. One that lost a run cannot win.")


def _named(arm: Arm, title: str) -> str:
    """An arm in trouble, with its trouble so far as the title does not say it."""
    if arm.trouble == title.lower():
        return arm.contender
    return f"{arm.contender} ({arm.trouble})"


def _scope() -> Reason:
    return Reason(
        NOTE,
        "One small task",
        "It shows what happens here. Rankings change with model, data and length of training; more tasks say more "
        "than more seeds.",
    )


def leader_by_time(ranked: list[Arm]) -> tuple[float, str]:
    """Who is ahead once the first contender has used up its processor time, and that time in seconds."""

    found = {arm.contender: _mean_curve(arm) for arm in ranked}
    seconds = min(float(x[-1]) for x, _ in found.values())
    sign = 1 if ranked[0].metric.lower_is_better else -1
    values = {name: sign * float(np.interp(seconds, x, y)) for name, (x, y) in found.items()}
    return seconds, min(values, key=values.__getitem__)


def _mean_curve(arm: Arm) -> tuple[np.ndarray, np.ndarray]:
    """Processor seconds and the ranking metric ``(evaluations,)``, means over the seeds of an arm that finished."""
    count = min(len(run.points) for run in arm.runs)
    seconds = np.array([[point.cpu_seconds for point in run.points[:count]] for run in arm.runs]).mean(0)
    return seconds, np.array([run.curve(arm.metric.name)[:count] for run in arm.runs]).mean(0)


def on_edge(each: list[Arm], best: Arm) -> bool:
    """Whether the best learning rate of a grid is its first or last."""
    return len(each) > 1 and best.lr in (each[0].lr, each[-1].lr)


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
