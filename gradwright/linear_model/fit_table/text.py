"""Text of a user's file in messages and pictures: on one line, printable, and not longer than a reader wants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def shown(value: Any, most: int = 60) -> str:
    """The value as printable text on one line, cut to ``most`` characters."""
    # four times as much is looked at, so that a megabyte of blanks costs nothing
    text = "".join(c if c.isprintable() else " " for c in str(value)[: 4 * most + 1])
    text = " ".join(text.split())
    return text if len(text) <= most and len(str(value)) <= 4 * most else text[: most - 1] + "…"


def quoted(value: Any, most: int = 60) -> str:
    """The same in quotes."""
    return repr(shown(value, most))


def listed(values: Iterable[Any], most: int = 12) -> str:
    """Quoted values with commas, the first of them and how many more there are."""
    every = list(values)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(quoted(value) for value in every[:most]) + more
