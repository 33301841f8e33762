"""The pictures of the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradwright.study.record.study import FINISHED, RunRecord, Study, TaskNote
from gradwright.study.record.words import value
from gradwright.study.report.summary import Arm, arms, initial, ranking
from gradwright.study.report.svg import (
    COLOURS,
    FAINT,
    INK,
    LETTERS,
    Series,
    Shades,
    end_labels,
    figure_of,
    limits,
    log_axis,
    name_width,
    per_cent,
    series_of,
    to_svg,
)
from gradwright.study.tasks.labels import one_line

FEW = 10  # predictions below which a group of them says nothing


def shades(study: Study) -> Shades:
    """The colour number of each contender: in the order asked for, or, where there are more than colours, of the best
    by mean rank; None for the others, which are drawn in grey."""
    names = study.contenders
    if len(names) > COLOURS:
        places = [{arm.contender: i for i, arm in enumerate(ranking(study, task))} for task in study.tasks]
        best = sorted(names, key=lambda name: sum(place.get(name, len(names)) for place in places))
        names = [name for name in names if name in best[:COLOURS]]
    return {name: names.index(name) if name in names else None for name in study.contenders}


def curves(
    study: Study, task: TaskNote, colours: Shades, quantity: str, label: str, by_time: bool = False, wide: bool = False
) -> str:
    """Mean over seeds of a quantity (a metric or ``train_loss``), with a band from the lowest to the highest seed,
    against steps or processor seconds. Runs in trouble are thin lines that end in a cross."""
    width = 12.2 if wide else 5.9
    figure, axes = figure_of(width, 3.5, left=0.6 / width, right=1 - name_width(colours, width, 9.5))
    metric = next((each for each in task.metrics if each.name == quantity), None)
    sinking = metric is None or (metric.lower_is_better and not metric.share)
    ends, shown = [], []
    for arm in reversed(ranking(study, task)):
        series = series_of(colours, arm.contender)
        if arm.finished:
            x, y = _mean_curve(arm.finished, quantity, by_time or task.timed, by_time)
            _line(axes, series, x, y)
            shown.append(y)
            ends.append((float(y[-1].mean()), arm.contender))
        for run in arm.runs:
            if run.status != FINISHED and run.points:
                _broken_line(axes, series, run, quantity, by_time, task.timed)
    axes.set_xlabel("processor seconds of training" if by_time else "seconds of training" if task.timed else "steps")
    if shown:
        low, high = min(np.nanmin(y) for y in shown), max(np.nanmax(y) for y in shown)
        start = float(np.mean([y[0].mean() for y in shown]))
        if sinking and start > low:  # what leaps above the start would press all else to the floor
            high = min(high, start + 0.25 * (start - low))
        limits(axes, low, high, sinking)
    if metric is not None and metric.share:
        per_cent(axes.yaxis)
    axes.margins(x=0)
    axes.autoscale(axis="x")
    axes.set_xlim(left=0)
    end_labels(axes, ends, colours)
    return to_svg(figure, f"{task.name}-{quantity}-{by_time}", f"{label} during training on {task.name}")


def finals(study: Study, task: TaskNote, colours: Shades) -> str:
    """Every run as a dot, its contender's mean as a bar and, at the right, a number; the best on top."""
    ranked = ranking(study, task)
    figure, axes = figure_of(12.2, 0.75 + 0.34 * len(ranked), left=name_width(colours, 12.2, 9.0), right=0.89)
    values = [x for arm in ranked for x in arm.values() if math.isfinite(x)]
    for row, arm in enumerate(ranked):
        series = series_of(colours, arm.contender)
        y = [row] * len(arm.values())
        axes.plot(arm.values(), y, ls="", marker=series.marker, ms=6.5, alpha=0.6, mew=0, **series.style())
        if arm.values():
            mean = arm.summary().mean
            axes.plot([mean, mean], [row - 0.32, row + 0.32], lw=2.6, **series.style())
        beside = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
        axes.annotate(arm.trouble or value(task.metric, arm.summary().mean), (1.012, row), color=FAINT, **beside)
    axes.set_yticks(range(len(ranked)), [one_line(arm.contender, LETTERS) for arm in ranked], parse_math=False)
    axes.tick_params(axis="y", labelcolor=INK, length=0, labelsize=10)
    axes.set_ylim(len(ranked) - 0.5, -0.75)
    better = "lower" if task.metric.lower_is_better else "higher"
    axes.set_xlabel(f"{one_line(task.metric.label)} at the end ({better} is better)", parse_math=False)
    if values and min(values) > 0 and max(values) > 4 * min(values) and not task.metric.share:
        log_axis(axes, "x", min(values), max(values))
    if task.metric.share:
        per_cent(axes.xaxis)
    return to_svg(figure, f"{task.name}-finals", f"Final {task.metric.label} of every run on {task.name}")


def sensitivity(study: Study, task: TaskNote, colours: Shades) -> str:
    """The final metric against the learning rate; a ring marks each default, a cross what got no better, drawn at the
    height of an untrained model."""
    figure, axes = figure_of(12.2, 3.6, left=0.6 / 12.2, right=1 - name_width(colours, 12.2, 9.5))
    start = initial(study, task)
    ends, seen = [], [start] if math.isfinite(start) else []
    for name, each in arms(study, task).items():
        each = [arm for arm in each if math.isfinite(arm.lr)]
        series = series_of(colours, name)
        kept = [arm for arm in each if arm.values()]
        if kept:
            x = [arm.lr for arm in kept]
            y = np.array([[min(arm.values()), arm.summary().mean, max(arm.values())] for arm in kept])
            axes.fill_between(x, y[:, 0], y[:, 2], alpha=0.15, lw=0, **series.style())
            axes.plot(x, y[:, 1], ls=series.dash, marker=series.marker, ms=5, lw=1.8, **series.style())
            seen += y[:, 1].tolist()
            ends.append((float(y[-1, 1]), name))
        for arm in each:
            if arm.trouble and math.isfinite(start):
                axes.plot([arm.lr], [start], marker="x", ms=8, mew=2, **series.style())
            if kept and arm in kept and all("default" in run.lr_source for run in arm.runs):
                mean = arm.summary().mean
                axes.plot([arm.lr], [mean], marker="o", ms=13, mfc="none", mew=1.4, **series.style())
    if math.isfinite(start):
        axes.axhline(start, color=FAINT, lw=1, ls=(0, (1, 2)))
        at = {"xycoords": ("axes fraction", "data"), "va": "bottom"}
        axes.annotate("untrained", (0.995, start), fontsize=8.5, color=FAINT, ha="right", **at)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    if seen:
        limits(axes, min(seen), max(seen), not task.metric.share)
    if task.metric.share:
        per_cent(axes.yaxis)
    end_labels(axes, ends, colours)
    return to_svg(figure, f"{task.name}-lr", f"Final {task.metric.label} by learning rate on {task.name}")


def reliability(task: TaskNote, colours: Shades, arm: Arm) -> str:
    """How often the predicted class of a test sample was right, by the probability claimed for it: the runs of all
    seeds together, dots as large as their bins are full."""
    figure, axes = figure_of(3.9, 3.4, left=0.6 / 3.9, right=0.97)
    series = series_of(colours, arm.contender)
    table = np.array([run.calibration for run in arm.finished]).sum(0)
    samples, claimed, right = table[table[:, 0] >= FEW].T
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (4, 3)))
    axes.plot(claimed / samples, right / samples, lw=1.4, **series.style())
    size = 12 + 240 * samples / samples.sum()
    axes.scatter(claimed / samples, right / samples, s=size, lw=0, clip_on=False, **series.style())
    # where curves seldom are: the one of a model that is far too sure runs along the bottom
    for x, y, word, side in ((0.03, 0.97, "claims too little", "left"), (0.97, 0.42, "claims too much", "right")):
        axes.annotate(word, (x, y), color=FAINT, fontsize=8.5, ha=side, va="top")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability claimed", ylabel="share that was right")
    per_cent(axes.xaxis)
    per_cent(axes.yaxis)
    return to_svg(figure, f"{task.name}-{arm.contender}-reliability", f"Reliability of {arm.contender} on {task.name}")


def _mean_curve(runs: Sequence[RunRecord], quantity: str, timed: bool, cpu: bool) -> tuple[np.ndarray, np.ndarray]:
    """Positions ``(points,)`` and values ``(points, runs)``, of the evaluations that all runs have."""
    count = min(len(run.points) for run in runs)
    place: Callable[[Any], float] = lambda p: p.cpu_seconds if cpu else p.seconds if timed else p.step  # noqa: E731
    x = np.array([[place(run.points[i]) for run in runs] for i in range(count)]).mean(1)
    return x, np.array([run.curve(quantity)[:count] for run in runs]).T


def _line(axes: Any, series: Series, x: np.ndarray, y: np.ndarray) -> None:
    if y.shape[1] > 1:
        axes.fill_between(x, y.min(1), y.max(1), alpha=0.16, lw=0, **series.style())
    axes.plot(x, y.mean(1), lw=series.width, ls=series.dash, **series.style())


def _broken_line(axes: Any, series: Series, run: RunRecord, quantity: str, cpu: bool, timed: bool) -> None:
    x, y = _mean_curve([run], quantity, cpu or timed, cpu)
    finite = np.isfinite(y[:, 0])
    x, y = x[finite], y[finite, 0]
    if len(x):
        axes.plot(x, y, lw=1, ls=":", **series.style())
        axes.plot(x[-1:], y[-1:], marker="x", ms=8, mew=2, **series.style())
