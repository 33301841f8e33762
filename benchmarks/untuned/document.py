"""The tables of the documentation that are made from stored results, so that no figure there is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import accumulation
import find_lr

from untuned.store import load_all
from untuned.tables import summary, tables

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parents[1] / "results"
BEGIN, END = "<!-- begin {} -->\n", "<!-- end {} -->"


def measured_runs() -> str:
    return "\n\n".join(table.markdown() for table in tables(load_all(RESULTS / "no_tuning")))


def measured_summary() -> str:
    found = summary(load_all(RESULTS / "no_tuning"))
    return found.markdown() if found.rows else ""


def suggestions() -> str:
    path = RESULTS / "find_lr.json"
    rows = json.loads(path.read_text())["findings"] if path.is_file() else []
    return find_lr.table([find_lr.Finding(**row) for row in rows]).markdown() if rows else ""


def accumulated() -> str:
    path = RESULTS / "accumulation.json"
    return accumulation.table(json.loads(path.read_text())["errors"]).markdown() if path.is_file() else ""


PLACES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("docs/no_tuning.md", "measured runs", measured_runs),
    ("docs/no_tuning.md", "suggested rates", suggestions),
    ("docs/promises.md", "accumulation", accumulated),
    ("README.md", "measured summary", measured_summary),
)
"""For each table its page, the name of its marks there, and what makes it: the empty text, which leaves the page as it
is, where nothing is stored."""


def document() -> None:
    """Write every table into its page."""
    for path, text in pages():
        path.write_text(text)


def pages() -> Iterator[tuple[Path, str]]:
    """Each page with the text that it should have."""
    for name in dict.fromkeys(page for page, _, _ in PLACES):
        text = (ROOT / name).read_text()
        for page, mark, make in PLACES:
            if page == name and (made := make()):
                text = between_marks(text, mark, f"\n{made}\n\n")
        yield ROOT / name, text


def between_marks(page: str, name: str, text: str) -> str:
    """The page with this text between the marks of this name.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = BEGIN.format(name), END.format(name)
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"the page has no place for {name!r}: give it the lines {begin.strip()} and {end}")
    head, _, rest = page.partition(begin)
    return head + begin + text + end + rest.partition(end)[2]
