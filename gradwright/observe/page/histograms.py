"""Histograms on a symmetric logarithmic axis, where a long tail can be seen: before and after, one upon the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gradwright.observe.page.axis import Logarithmic, Symmetric
from gradwright.observe.page.chart import Mark, Point, chart, figure
from gradwright.observe.page.curves import legend
from gradwright.observe.page.markup import Markup, element, markup
from gradwright.observe.page.words import middle_cut, per_cent
from gradwright.observe.record import HISTOGRAM_EDGES, Histogram, Record

FEWEST = 1e-4
"""The smallest share of the entries that the height shows."""

MOST_DECADES = 14
"""What the axis shows to either side, at most."""

MOST_LAYERS = 6

EXPONENTS = tuple(math.log10(edge) for edge in HISTOGRAM_EDGES)


class Shown(NamedTuple):
    """One histogram of a picture: its name in the legend, its colour and its counts."""

    name: str
    kind: str
    counts: Histogram


def before_and_after(record: Record, layers: Sequence[str]) -> Markup | None:
    """Gradients, steps and weights of some parameters at the first and at the last steps that were kept."""
    if not record.histograms or not layers:
        return None
    first, last = record.histograms[0], record.histograms[-1]
    rows = []
    for name in layers:
        several = ((part, getattr(first, part).get(name), getattr(last, part).get(name)) for part in PARTS)
        pictures = [_pair(PARTS[part], name, first.step, a, last.step, b) for part, a, b in several if a or b]
        rows.append(
            element("div", element("h3", middle_cut(name, 70), title=name), element("div", *pictures, class_="small"))
        )
    keys = [("other", f"step {first.step}"), ("c0", f"step {last.step}")]
    return markup([legend(keys if first.step != last.step else keys[1:]), *rows])


PARTS = {"gradients": "Gradient", "updates": "Step", "weights": "Weights"}


def chosen(record: Record, named: Iterable[str], most: int = MOST_LAYERS) -> list[str]:
    """The parameters whose histograms are shown: those that findings name, then some spread over the depth."""
    if not record.histograms:
        return []
    order = {name: at for at, name in enumerate(record.parameters)}
    there = sorted(record.histograms[-1].gradients, key=lambda name: order.get(name, len(order)))
    wanted = [name for name in dict.fromkeys(named) if name in there][:most]
    large = [name for name in there if len(_shape(record, name)) > 1] or there
    room = most - len(wanted)
    rest = [name for name in large if name not in wanted]
    if room > 0 and rest:
        places = {round(k * (len(rest) - 1) / max(1, room - 1)) for k in range(room)}
        wanted += [rest[at] for at in sorted(places)]
    return [name for name in there if name in wanted]


def histogram(several: Sequence[Shown], label: str, height: int = 130) -> Markup:
    """Histograms upon one another: the share of the entries in each half decade, on a logarithmic height."""
    low, high = _range(each.counts for each in several)
    x, y = Symmetric(EXPONENTS[low], EXPONENTS[high]), Logarithmic(FEWEST, 1.0)
    marks = [mark for each in several for mark in _marks(each, low, high, x, y)]
    return chart(marks, x, _InPerCent(y.low, y.high), label=label, height=height)


class _InPerCent(Logarithmic):
    """A logarithmic axis of shares."""

    def ticks(self) -> list[tuple[float, str]]:
        return [(self.place(10.0**k), f"{100 * 10.0**k:g} %") for k in (-4, -3, -2, -1, 0)]


def _pair(caption: str, name: str, first: int, a: Histogram | None, last: int, b: Histogram | None) -> Markup:
    several = [Shown(f"step {first}", "other", a)] if a and first != last else []
    several += [Shown(f"step {last}", "c0", b)] if b else []
    label = f"{caption} of {name} at steps {first} and {last}; {_zeros(several)}"
    return figure(caption, histogram(several, label), element("p", _zeros(several), class_="faint small"))


def _zeros(several: Sequence[Shown]) -> str:
    """How many entries are exactly zero, which stand at the middle."""
    said = [f"{per_cent(_share_of_zeros(each.counts))} at {each.name}" for each in several]
    return f"exactly zero: {', '.join(said)}" if any(each.counts.zero for each in several) else "none is exactly zero"


def _share_of_zeros(counts: Histogram) -> float:
    total = _total(counts)
    return counts.zero / total if total else math.nan


def _total(counts: Histogram) -> int:
    return sum(counts.negative) + counts.zero + sum(counts.positive)


def _range(several: Iterable[Histogram]) -> tuple[int, int]:
    """The first and the last edge between which there are entries, no more decades than can be seen."""
    filled = [k for each in several for side in (each.negative, each.positive) for k, n in enumerate(side) if n]
    if not filled:
        return 28, 34
    high = max(filled) + 1
    return max(min(filled), high - 2 * MOST_DECADES), high


def _marks(shown: Shown, low: int, high: int, x: Symmetric, y: Logarithmic) -> list[Mark]:
    total = _total(shown.counts)
    if not total:
        return []
    runs = [
        _steps([n / total for n in side[low:high]], sign, x, y, EXPONENTS[low : high + 1])
        for sign, side in ((-1, shown.counts.negative), (1, shown.counts.positive))
    ]
    zero = shown.counts.zero / total
    middle = [(x.place_of(side, x.low), y.place(zero)) for side in (-1, 1)]
    zeros = [[(middle[0][0], 0.0), *middle, (middle[1][0], 0.0)]] if zero > FEWEST else []
    borders = [*runs, *zeros]
    return [Mark(f"area {shown.kind}", borders, closed=True), Mark(f"line {shown.kind}", borders)]


def _steps(shares: Sequence[float], sign: int, x: Symmetric, y: Logarithmic, edges: Sequence[float]) -> list[Point]:
    """The border of the bars of one side, from the bottom and back to it."""
    border: list[Point] = [(x.place_of(sign, edges[0]), 0.0)]
    for at, share in enumerate(shares):
        border += [(x.place_of(sign, edge), y.place(share)) for edge in (edges[at], edges[at + 1])]
    return [*border, (x.place_of(sign, edges[len(shares)]), 0.0)]


def _shape(record: Record, name: str) -> tuple[int, ...]:
    held = record.parameters.get(name)
    return held.shape if held else ()
