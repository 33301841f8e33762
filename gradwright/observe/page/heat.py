"""Heat maps of the layers over the run, one for each probe, between which a reader chooses."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from gradwright.observe.page.chart import below
from gradwright.observe.page.grid import QUANTITIES, Grid, Quantity, grid
from gradwright.observe.page.markup import Markup, element, markup
from gradwright.observe.page.png import data_uri, png
from gradwright.observe.page.shading import LEVELS, Shading, shading
from gradwright.observe.page.words import count, middle_cut
from gradwright.observe.record import Record

TALLEST, LARGEST_ROW, SMALLEST_ROW = 900, 22, 2
"""Pixels: of a whole map, where rows may be smaller for it, and of one row at most and at least."""

LETTERS_HIGH = 15
"""Pixels that a name needs."""

NAME = 34
"""Letters of a name."""


def heat_maps(record: Record, key: str = "probe") -> Markup | None:
    """All maps that show more than zeros; nothing where there are none. ``key`` is the choice's own on its page."""
    every = [(quantity, grid(record, quantity)) for quantity in QUANTITIES]
    shown = [(quantity, found) for quantity, found in every if found.worth_showing]
    if not shown:
        return None
    empty = [quantity.name for quantity, found in every if found.names and not found.worth_showing]
    choices = [
        markup(
            [
                element("input", type="radio", name=key, id=f"{key}-{at}", checked="" if at == 0 else None),
                element("label", quantity.name, for_=f"{key}-{at}"),
            ]
        )
        for at, (quantity, _) in enumerate(shown)
    ]
    maps = [_map(quantity, found) for quantity, found in shown]
    rows = {"layers" if quantity.layers else "parameters": found for quantity, found in shown}
    known = {f"data_{kind}": json.dumps(found.names) for kind, found in rows.items()}
    edges = json.dumps(shown[0][1].edges)
    nothing = element("p", f"Zero or not measured: {', '.join(empty)}.", class_="faint small") if empty else None
    pictures = element("div", *maps, class_="maps")
    return markup([element("div", *choices, pictures, class_="chooser", data_edges=edges, **known), nothing])


def _map(quantity: Quantity, found: Grid) -> Markup:
    shade = shading(quantity.scale, (value for row in found.values for value in row))
    levels = [bytes(shade.level(value) for value in row) for row in found.values]
    high = row_height(len(found.names))
    height = high * len(found.names)
    label = f"{quantity.name} of {count(len(found.names), 'row')} over {count(found.edges[-1], 'step')}"
    picture = element("img", src=data_uri(png(levels, shade.palette)), alt=label, style=f"height:{height}px")
    names = element("div", *_names(found.names, high), class_="names", style=f"height:{height}px")
    cells = element(
        "div",
        picture,
        *_steps(found.edges),
        class_="cells",
        data_levels=base64.b64encode(b"".join(levels)).decode(),
        data_words=json.dumps([shade.word(level) for level in range(LEVELS + 1)], ensure_ascii=False),
        data_rows="layers" if quantity.layers else "parameters",
    )
    meaning = element("p", quantity.meaning, class_="faint small")
    read = element("p", "Point at a cell to read it.", class_="reading faint small")
    return element("div", meaning, _key(shade), element("div", names, cells, class_="heat"), read)


def row_height(rows: int) -> int:
    """Pixels of a row, so that few layers are not a stripe and many do not need a tower."""
    return max(SMALLEST_ROW, min(LARGEST_ROW, TALLEST // max(1, rows)))


def _names(names: Sequence[str], high: int) -> list[Markup]:
    """Every name beside its row where there is room; else what the rows of a stretch have in common."""
    if high >= LETTERS_HIGH:
        return [_name(name, name, high * at + high / 2) for at, name in enumerate(names)]
    found, free = [], 0.0
    for at, name in groups(names, high * len(names) // LETTERS_HIGH):
        if high * at >= free:
            found.append(_name(name, name, high * at + LETTERS_HIGH / 2))
            free = high * at + LETTERS_HIGH
    return found


def _name(shown: str, whole: str, middle: float) -> Markup:
    return element("span", middle_cut(shown, NAME), title=whole, style=f"top:{middle:.0f}px")


def groups(names: Sequence[str], most: int) -> list[tuple[int, str]]:
    """Where stretches of names begin that share their first words, and these; of about ``most`` stretches: by as many
    words as give no more, or by one word more and some left out where these would be few.

    >>> groups(["a.0.w", "a.0.b", "a.1.w", "a.1.b", "head.w"], 3)
    [(0, 'a.0'), (2, 'a.1'), (4, 'head.w')]
    """
    deepest = max((name.count(".") + 1 for name in names), default=1)
    found: list[tuple[int, str]] = []
    for depth in range(1, deepest + 1):
        heads = [".".join(name.split(".")[:depth]) for name in names]
        finer = [(at, head) for at, head in enumerate(heads) if at == 0 or head != heads[at - 1]]
        if len(finer) > most:
            return found if 3 * len(found) > most else finer[:: -(-len(finer) // most)]
        found = finer
    return found


def _steps(edges: Sequence[int], most: int = 5) -> list[Markup]:
    """Some steps below the columns that end with them."""
    columns = len(edges) - 1
    every = max(1, -(-columns // most))
    places = range(columns - 1, -1, -every)
    return [below((at + 0.5) / columns, f"{edges[at + 1]}", spare=bool(k % 2)) for k, at in enumerate(places)]


def _key(shade: Shading) -> Markup:
    """The colours and what their ends stand for."""
    colours = [shade.palette[1 + (LEVELS - 1) * part // 8] for part in range(9)]
    stops = ", ".join(f"rgba({red},{green},{blue},{opacity / 255:.2f})" for red, green, blue, opacity in colours)
    low, high = shade.word(1), shade.word(LEVELS)
    bar = element("i", style=f"background:linear-gradient(to right, {stops})")
    return element("div", element("span", low), bar, element("span", high), class_="scale")
