"""The drawing board of the report: axes, scales, labels, and SVG that takes its colours from the page."""

from __future__ import annotations

import html
import io
import math
import re
import warnings
from collections.abc import Sequence
from typing import Any

from gradwright.study.tasks.labels import one_line

COLOURS = 7
LETTERS = 40  # of a name in a picture
FEWER = 30  # where two pictures stand side by side
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (6, 1.5)), (0, (2, 1)), (0, (7, 1.5, 1.5, 1.5)), "-", (0, (4, 2)), (0, (1, 1)))
INK, FAINT, GRID, OTHER = "#010101", "#020202", "#030303", "#040404"  # stand for variables of the page's style
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "ytick.minor.width": 0,
    "text.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}

Shades = dict[str, int | None]
"""The colour number of each contender; None is grey."""


class Series:
    """How one contender is drawn."""

    def __init__(self, place: int | None) -> None:
        self.colour = OTHER if place is None else f"#0100{place:02x}"
        self.marker = "o" if place is None else MARKERS[place]
        self.dash: Any = "-" if place is None else DASHES[place]
        self.width = 1.0 if place is None else 2.0
        self.name = "x" if place is None else str(place)
        self.count = 0

    def style(self) -> dict[str, str]:
        """Colour, and a name that the page finds the shape by."""
        self.count += 1
        return {"color": self.colour, "gid": f"series-{self.name}-{self.count}"}


def series_of(colours: Shades, name: str) -> Series:
    """How the contender of this name is drawn."""
    return Series(colours.get(name))


def figure_of(width: float, height: float, left: float, right: float) -> tuple[Any, Any]:
    """An empty figure of this size in inches, its axes between these shares of the width."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.subplots()
    figure.subplots_adjust(left=left, right=right, top=1 - 0.12 / height, bottom=0.52 / height)
    return figure, axes


def name_width(colours: Shades, width: float, size: float) -> float:
    """The share of a figure's width that the longest name takes, in bold letters of this size in points."""
    longest = max(min(len(name), LETTERS) for name in colours)
    return min(0.35, (0.25 + longest * size * 0.0088) / width)


def limits(axes: Any, low: float, high: float, logarithmic: bool = True) -> None:
    """Room for these values; a logarithmic scale, where one is wanted, if they span more than a factor of 4."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return
    if logarithmic and low > 0 and high > 4 * low:
        log_axis(axes, "y", low, high)
    else:
        room = 0.05 * (high - low or abs(high) or 1.0)
        axes.set_ylim(low - room, high + room)


def log_axis(axes: Any, axis: str, low: float, high: float) -> None:
    """Make the x or y axis logarithmic, with more ticks in a decade where there are few decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high < 10 * low else (1.0, 2.0, 5.0) if high < 300 * low else (1.0,)
    room = (high / low) ** 0.05
    getattr(axes, f"set_{axis}scale")("log")
    getattr(axes, f"set_{axis}lim")(low / room, high * room)
    ticks = getattr(axes, f"{axis}axis")
    ticks.set_major_locator(LogLocator(subs=subs))
    ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ticks.set_minor_formatter(NullFormatter())


def per_cent(axis: Any) -> None:
    """Label the ticks of an axis of shares in per cent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))


def end_labels(axes: Any, ends: list[tuple[float, str]], colours: Shades) -> None:
    """The names at the right of the lines, pushed apart where they would overlap."""
    ends = [(y, name) for y, name in ends if colours.get(name) is not None and math.isfinite(y)]
    if not ends:
        return
    height = axes.bbox.height
    pixels = [float(axes.transData.transform((axes.get_xlim()[0], y))[1] - axes.bbox.y0) for y, _ in ends]
    places = spread([min(max(p, 0.0), height) for p in pixels], gap=0.145 * axes.figure.dpi * 1.2, top=height)
    for (_, name), place in zip(ends, places):
        series = series_of(colours, name)
        axes.annotate(
            text=one_line(name, LETTERS if axes.figure.get_figwidth() > 8 else FEWER),
            parse_math=False,  # a dollar sign in a name begins no formula
            xy=(1.015, place / height),
            xycoords="axes fraction",
            va="center",
            annotation_clip=False,
            fontsize=9.5,
            fontweight="bold",
            **series.style(),
        )


def spread(places: Sequence[float], gap: float, top: float) -> list[float]:
    """Move places apart to ``gap`` or more, as little as may be, none above ``top`` if they fit, none below 0.

    >>> spread([1.0, 1.0, 9.0], gap=2.0, top=10.0)
    [0.0, 2.0, 9.0]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    clusters: list[tuple[float, list[int]]] = []
    for i in order:
        centre, cluster = places[i], [i]
        while clusters and centre - clusters[-1][0] < gap * (len(cluster) + len(clusters[-1][1])) / 2:
            cluster = clusters.pop()[1] + cluster
            centre = sum(places[j] for j in cluster) / len(cluster)
        clusters.append((centre, cluster))
    moved = [0.0] * len(places)
    for centre, cluster in clusters:
        for k, i in enumerate(cluster):
            moved[i] = centre + gap * (k - (len(cluster) - 1) / 2)
    over = max([0.0, *(place - top for place in moved)])
    under = max([0.0, *(over - place for place in moved)])
    return [place - over + under for place in moved]


def to_svg(figure: Any, salt: str, title: str) -> str:
    """The figure as an element of a page: no prolog, no foreign names, colours and font left to the style sheet."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt}), warnings.catch_warnings():
        # the letters of names are the page's: it matters little that matplotlib's own font has not all of them
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    label = html.escape(one_line(title))
    head = re.search(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', text)
    assert head is not None
    text = f'<svg viewBox="{head[1]}" role="img" aria-label="{label}">{text[head.end() :]}'
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<[^>]*>", lambda tag: _page_tag(tag[0]), text)
    return re.sub(r"[ \t]*\n\s*", "\n", text)


def _page_tag(tag: str) -> str:
    """A tag with the page's colours and font; what stands between tags are names, which stay as they are."""
    if tag.startswith('<svg viewBox="'):
        return tag
    tag = tag.replace("xlink:href", "href")
    tag = re.sub(r'id="series-(\w+)-\d+"', r'class="series s\1"', tag)
    tag = re.sub(r'<g id="[a-zA-Z][\w.]*_\d+"', "<g", tag)  # names that every figure repeats
    for place in range(COLOURS):
        tag = tag.replace(f"#0100{place:02x}", f"var(--c{place})")
    for stand_in, variable in ((INK, "ink"), (FAINT, "faint"), (GRID, "grid"), (OTHER, "other")):
        tag = tag.replace(stand_in, f"var(--{variable})")
    return re.sub(r"font: ([\w ]*?)([\d.]+)px [^;\"]*", r"font: \1 \2px var(--font)", tag)
