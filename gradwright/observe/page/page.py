"""The page of a run put together, and written whole or not at all."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path

import torch

from gradwright.core.files import write as write_whole
from gradwright.observe.cause import Finding
from gradwright.observe.page.curves import charts
from gradwright.observe.page.findings import events, listed, timeline
from gradwright.observe.page.heat import heat_maps
from gradwright.observe.page.histograms import before_and_after, chosen
from gradwright.observe.page.markup import Markup, element
from gradwright.observe.page.words import count, headline, number
from gradwright.observe.record import Record

HEAT = (
    "Rows are parameters in the model's order, or modules in forward order; columns are watched steps: each of the "
    "first ones, then fewer."
)
HISTOGRAMS = (
    "Both axes are logarithmic, and the horizontal one has two sides: −10⁻³ is left of zero, 10⁻³ right of it. A long "
    "tail shows as a slope that goes on to the side. Parameters that findings name are among those shown."
)


def html(record: Record, findings: Sequence[Finding], title: str = "") -> str:
    """The page as text.

    Args:
        record: of the run.
        findings: what is wrong with it.
        title: a name for the run; the page says what it is without one.
    """
    ranked = list(findings)
    named = [name for found in ranked for name in found.layers]
    sections = [
        _section("", "", timeline(ranked, record), listed(ranked), events(record)),
        _section("The run", "", *_in_grid(charts(record))),
        _section("Layers over time", HEAT, heat_maps(record)),
        _section("Histograms, before and after", HISTOGRAMS, before_and_after(record, chosen(record, named))),
        _section("How it was measured", "", _measured(record)),
    ]
    said = headline(ranked)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title}: {said}" if title else said),
        element("style", Markup(_resource("page.css") + figure_styles())),
    )
    worst = max((found.severity for found in ranked), default=None)
    top = [
        element("p", " · ".join(filter(None, ("Gradwright run", title, _now()))), class_="kicker"),
        element("h1", said, class_="" if worst is None else str(worst)),
        element("p", _facts(record), class_="faint"),
        _calm(record) if not ranked else None,
    ]
    script = element("script", Markup(_resource("page.js")))
    body = element("body", element("main", *top, *sections), script)
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def write(record: Record, findings: Sequence[Finding], path: str | os.PathLike[str], title: str = "") -> Path:
    """Write the page to a file, all of it or nothing; a page that was there stays as it is if that fails.

    Args:
        record: of the run.
        findings: what is wrong with it.
        path: of the file, in a folder that exists.
        title: a name for the run.

    Returns:
        The path.

    Raises:
        ValueError: the file cannot be written; says why.
    """
    text = html(record, findings, title).encode("utf-8", "backslashreplace")
    try:
        write_whole(path, text)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise ValueError(f"path={str(path)!r} cannot be written ({said}): name a file in a folder that can") from error
    return Path(path)


@cache
def figure_styles() -> str:
    """The style sheet of charts, heat maps and findings, for pages that have the same colours by the same names."""
    return _resource("figures.css")


def _resource(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _section(title: str, words: str, *content: Markup | None) -> Markup | None:
    """A section, or nothing where there is nothing to show."""
    if not any(content):
        return None
    heading = element("h2", title) if title else None
    return element("section", heading, element("p", words, class_="faint") if words else None, *content)


def _in_grid(pictures: Sequence[Markup]) -> list[Markup]:
    """The first picture over the whole width, the others side by side."""
    return [*pictures[:1], *([element("div", *pictures[1:], class_="grid")] if pictures[1:] else [])]


def _facts(record: Record) -> str:
    trained = [held for held in record.parameters.values() if held.in_model]
    optimizers = list(dict.fromkeys(held.optimizer for held in trained if held.optimizer))
    entries = sum(math.prod(held.shape) for held in trained)
    said = [count(record.steps, "step"), f"{len(record.windows)} of them watched"]
    if trained:
        said.append(f"{count(len(trained), 'parameter tensor')} of {count(entries, 'number')} in all")
    if optimizers:
        said.append(f"trained by {', '.join(optimizers)}")
    return f"{', '.join(said)}."


def _calm(record: Record) -> Markup:
    """What an empty list of findings is worth."""
    looked = "Every rule that the record allows was asked"
    more = "" if record.activations else "; what layers make was not observed"
    return element(
        "p", f"{looked}{more}. Silence is no proof of a good run: it says that none of the known causes shows."
    )


def _measured(record: Record) -> Markup:
    rows = [
        ("Step", "A watched step: samples of each parameter before and after it, its gradient, and what layers made."),
        ("Update", "Δ is the weight after the step less the weight before: with decay, clipping and rounding in it."),
        ("Histogram", "Counts of an even sample of the entries of each tensor, in bins of half a decade."),
        ("Finding", "A rule with a threshold of its own found it; its evidence gives the numbers."),
    ]
    for name, settings in record.settings.items():
        rows.append((name, ", ".join(f"{key} {number(value, 4)}" for key, value in settings.items())))
    rows.append(("Versions", f"torch {torch.__version__}, Python {platform.python_version()}"))
    return element("dl", *([element("dt", name), element("dd", said)] for name, said in rows))


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
