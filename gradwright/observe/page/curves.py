"""Curves over the steps: losses, learning rates, the norm of the gradient, the scale of a gradient scaler."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gradwright.observe.page.axis import Axis, Linear, spanning
from gradwright.observe.page.chart import Mark, Point, chart, figure
from gradwright.observe.page.markup import Markup, element
from gradwright.observe.page.words import count, number
from gradwright.observe.record import Record

MOST_POINTS = 240
"""Of a curve: what a screen can show. Where there are more, neighbours are one mean within a band from low to high."""

COLOURS = 7


class Bin(NamedTuple):
    """Neighbouring values of a series: the last step, their mean, least and largest."""

    step: int
    mean: float
    low: float
    high: float


def charts(record: Record) -> list[Markup]:
    """Every curve for which there are numbers, the loss first."""
    steps = Linear(1, max(2, record.steps), whole=True)
    found = [_loss(record, steps), _norm(record, steps), _rates(record, steps), _scale(record, steps)]
    return [each for each in found if each is not None]


def binned(series: Iterable[tuple[int, float]], most: int = MOST_POINTS) -> list[list[Bin]]:
    """The series in at most about ``most`` bins, parted into runs where values are not finite.

    >>> [len(run) for run in binned([(1, 1.0), (2, math.nan), (3, 2.0), (4, 1.0)])]
    [1, 2]
    """
    points = list(series)
    wide = max(1, math.ceil(len(points) / most))
    runs: list[list[Bin]] = [[]]
    for at in range(0, len(points), wide):
        part = points[at : at + wide]
        values = [value for _, value in part if math.isfinite(value)]
        if values:
            runs[-1].append(Bin(part[-1][0], math.fsum(v / len(values) for v in values), min(values), max(values)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _loss(record: Record, steps: Linear) -> Markup | None:
    training = binned(record.loss)
    validation = [(each.step, each.value) for each in record.validation]
    shown = [each.value for each in record.validation] + [
        value for run in training for each in run for value in each[1:]
    ]
    if not any(map(math.isfinite, shown)):
        return None
    y = spanning(shown)
    marks = [*_band(training, steps, y, "c0"), *_marked(validation, steps, y)]
    keys = [("c0", "training")] * bool(training) + [("c1", "validation")] * bool(validation)
    first, last = (f"{number(each.mean)}" for each in (training[0][0], training[-1][-1])) if training else ("", "")
    label = (
        f"Training loss from {first} to {last} over {count(record.steps, 'step')}" if training else "Validation loss"
    )
    broken = sum(not math.isfinite(value) for _, value in record.loss)
    beneath = f"steps; the loss was not finite at {count(broken, 'step')}" if broken else "steps"
    return figure("Loss", legend(keys), chart(marks, steps, y, label=label, height=260, beneath=beneath))


def _norm(record: Record, steps: Linear) -> Markup | None:
    norms = binned((window.step, window.norm) for window in record.windows)
    if not norms:
        return None
    y = spanning(value for run in norms for each in run for value in (each.low, each.high))
    marks = _band(norms, steps, y, "c0")
    label = f"Norm of the gradient, {number(norms[0][0].mean)} at first and {number(norms[-1][-1].mean)} at last"
    return figure("Norm of the whole gradient", chart(marks, steps, y, label=label, height=160, beneath="steps"))


def _rates(record: Record, steps: Linear) -> Markup | None:
    several = {name: binned(series) for name, series in record.learning_rates.items()}
    distinct: dict[tuple[tuple[int, float], ...], list[str]] = {}
    for name, runs in several.items():  # groups that move alike are one line
        distinct.setdefault(tuple((each.step, each.mean) for run in runs for each in run), []).append(name)
    if not any(distinct):
        return None
    y = spanning((rate for points in distinct for _, rate in points), logarithmic=False)
    marks: list[Mark] = []
    keys: list[tuple[str, str]] = []
    for place, names in enumerate(distinct.values()):
        kind = f"c{place}" if place < COLOURS else "other"
        marks += _band(several[names[0]], steps, y, kind)
        keys.append((kind, names[0] if len(names) == 1 else f"{names[0]} and {count(len(names) - 1, 'more group')}"))
    label = f"Learning rates of {count(len(several), 'group')}"
    shown = legend(keys[:COLOURS] + ([("other", f"{len(keys) - COLOURS} more")] if len(keys) > COLOURS else []))
    return figure("Learning rate", shown, chart(marks, steps, y, label=label, height=160, beneath="steps"))


def _scale(record: Record, steps: Linear) -> Markup | None:
    scales = binned(record.scale)
    if not scales:
        return None
    y = spanning(each.mean for run in scales for each in run)
    marks = _band(scales, steps, y, "c0")
    label = f"Scale of the gradient scaler, {number(scales[-1][-1].mean)} at last"
    return figure("Scale of the gradient scaler", chart(marks, steps, y, label=label, height=160, beneath="steps"))


def legend(keys: Sequence[tuple[str, str]]) -> Markup | None:
    """Which colour is what; nothing where there is but one."""
    if len(keys) < 2:
        return None
    dots = ([element("i", class_=f"dot {kind}"), name] for kind, name in keys)
    return element("div", [element("span", *each) for each in dots], class_="keys")


def _band(runs: Sequence[Sequence[Bin]], x: Axis, y: Axis, kind: str) -> Iterator[Mark]:
    """The line of the means, a band from low to high where bins hold several values, and dots where a run is one."""
    if any(each.high > each.low for run in runs for each in run):
        yield Mark(f"area {kind}", [_border(run, x, y) for run in runs if len(run) > 1], closed=True)
    lines = [[(x.place(each.step), y.place(each.mean)) for each in run] for run in runs]
    yield Mark(f"line {kind}", [line for line in lines if len(line) > 1])
    yield Mark(f"dots {kind}", [line for line in lines if len(line) == 1], dots=True)


def _border(run: Sequence[Bin], x: Axis, y: Axis) -> list[Point]:
    there = [(x.place(each.step), y.place(each.high)) for each in run]
    back = [(x.place(each.step), y.place(each.low)) for each in reversed(run)]
    return there + back


def _marked(points: Sequence[tuple[int, float]], x: Axis, y: Axis) -> list[Mark]:
    """A line with a dot at each value."""
    places = [(x.place(step), y.place(value)) for step, value in points if math.isfinite(value)]
    if not places:
        return []
    return [Mark("line c1", [places]), Mark("dots c1", [places], dots=True)]
