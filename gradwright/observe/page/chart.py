"""A chart that keeps its letters readable on any screen: lines are stretched, words are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gradwright.observe.page.axis import Axis
from gradwright.observe.page.markup import Markup, element

SIDE = 1000
"""Of the square that is stretched over a chart."""

EDGE = 0.06
"""How near to an end of the x axis a word must be to be pushed inwards."""

MOST_ON_A_PHONE = 4
"""Words below the x axis; where there are more, a narrow screen shows every other one."""

Point = tuple[float, float]
"""Shares of the axes, from 0 to 1."""


class Word(NamedTuple):
    """A word in the midst of a chart, at shares of its axes, with a class of the style sheet."""

    across: float
    up: float
    text: str
    kind: str


@dataclass(frozen=True)
class Mark:
    """One thing in a chart.

    Attributes:
        kind: a class of the style sheet: what colour it has, and whether it is a line, an area or dots.
        points: a run of points without gaps, for each run.
        closed: whether a run is the border of an area.
        dots: whether points are dots, not joined.
    """

    kind: str
    runs: Sequence[Sequence[Point]]
    closed: bool = False
    dots: bool = False

    def path(self) -> str:
        """In the language of SVG paths."""
        if self.dots:  # a line of no length with round ends stays round however it is stretched
            return "".join(f"M{_at(point)}h0" for run in self.runs for point in run)
        return "".join(f"M{'L'.join(map(_at, run))}{'Z' * self.closed}" for run in self.runs if run)


def chart(
    marks: Iterable[Mark],
    x: Axis,
    y: Axis,
    *,
    label: str,
    height: int = 220,
    beneath: str = "",
    words: Iterable[Word] = (),
) -> Markup:
    """A chart with axes.

    Args:
        marks: the later ones lie on top.
        x, y: axes.
        label: what it shows, for those who cannot see it.
        height: of the area between the axes, in pixels.
        beneath: what the x axis shows.
        words: that stand within.
    """
    across, up = x.ticks(), y.ticks()
    grid = "".join(f"M0 {SIDE * (1 - place):.0f}h{SIDE}" for place, _ in up)
    paths = [element("path", class_="rule", d=grid)]
    paths += [element("path", class_=mark.kind, d=path) for mark in marks if (path := mark.path())]
    drawing = element("svg", *paths, viewBox=f"0 0 {SIDE} {SIDE}", preserveAspectRatio="none", aria_hidden="true")
    said = [_within(word) for word in words]
    said += [element("span", word, class_="tick up", style=f"bottom:{100 * place:.1f}%") for place, word in up]
    many = len(across) > MOST_ON_A_PHONE
    said += [below(place, word, spare=many and bool(at % 2)) for at, (place, word) in enumerate(across)]
    plot = element("div", drawing, *said, class_="plot", style=f"height:{height}px")
    name = element("div", beneath, class_="beneath") if beneath else None
    return element("div", plot, name, class_="chart", role="img", aria_label=label)


def figure(caption: str, *content: Any) -> Markup:
    """A figure under its caption."""
    return element("figure", element("figcaption", caption), *content)


def _within(word: Word) -> Markup:
    style = f"left:{100 * word.across:.1f}%;bottom:{100 * word.up:.1f}%"
    return element("span", word.text, class_=f"word {word.kind}", style=style)


def below(place: float, word: str, spare: bool = False) -> Markup:
    """A word below the x axis, pushed inwards at its ends; a spare one is left out on narrow screens."""
    side = " first" if place < EDGE else " last" if place > 1 - EDGE else ""
    return element("span", word, class_=f"tick across{side}{' spare' * spare}", style=f"left:{100 * place:.1f}%")


def _at(point: Point) -> str:
    return f"{SIDE * point[0]:.1f} {SIDE * (1 - point[1]):.1f}"
