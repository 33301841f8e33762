"""The tables of docs/no_tuning.md, written between its marks, so that no figure there is typed by hand."""

from __future__ import annotations

from pathlib import Path

from untuned.store import load_all
from untuned.tables import tables

PAGE = Path(__file__).parents[2] / "docs" / "no_tuning.md"
BEGIN, END = "<!-- begin {} -->\n", "<!-- end {} -->"


def document(results: Path, page: Path = PAGE) -> None:
    """Write the tables of the stored runs into the page."""
    text = "\n\n".join(table.markdown() for table in tables(load_all(results)))
    page.write_text(between_marks(page.read_text(), "measured runs", f"\n{text}\n\n"))


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
