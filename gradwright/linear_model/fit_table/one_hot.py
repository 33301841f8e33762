"""One-hot: columns of texts that become a column of zeros and ones for each category but the first, and their names."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import numpy as np

from gradwright.linear_model.fit_table import written
from gradwright.linear_model.fit_table.column import Column
from gradwright.linear_model.fit_table.text import quoted, shown

MOST_CATEGORIES = 100
FEW = 10
"""Categories that a column may have however few the rows are."""
LONGEST = 1000
"""Characters of a text that may be a category."""


def one_hot(columns: list[Column], where: Callable[[int], str]) -> dict[str, list[str]]:
    """The categories of columns of texts, sorted; each column but the first of them becomes one of zeros and ones.

    Raises:
        ValueError: a column has too many categories, two columns would have one name, or none is left.
    """
    origin: dict[str, str] = {}
    encoded = {}

    def add(name: str, source: str) -> None:
        if name in origin:
            raise ValueError(
                f"{origin[name]} and {source} would both be named {quoted(name)}; rename one of the columns"
            )
        origin[name] = source

    for column in columns:
        if column.codes is None:
            add(column.name, f"column {quoted(column.name)}")
            if len(column.missing):
                add(flag_name(column.name), f"what is missing in column {quoted(column.name)}")
            continue
        refuse_long(column, where)
        _refuse_many(column, where)
        encoded[column.name] = column.categories
        for kind in column.categories[1:]:
            add(named(column.name, kind), f"category {quoted(kind)} of column {quoted(column.name)}")
    if not origin:
        one = next(iter(encoded))
        raise ValueError(
            f"column {quoted(one)} holds {quoted(encoded[one][0])} in every row, and no other column is left"
        )
    return encoded


def flag_name(column: str) -> str:
    """The name of the column that says where a number of ``column`` is missing."""
    return f"{column} is missing"


def named(column: str, kind: str) -> str:
    """The name of the column that says whether ``column`` is ``kind``."""
    # texts that begin alike stay apart
    cut = shown(kind) != " ".join(kind.split())
    return f"{column}={shown(kind, 48)} #{crc32(kind.encode()):08x}" if cut else f"{column}={shown(kind)}"


def refuse_long(column: Column, where: Callable[[int], str]) -> None:
    """Refuse free text by its line.

    Raises:
        ValueError: a text is longer than ``LONGEST``.
    """
    longest = max(column.kinds, key=len, default="")
    if len(longest) > LONGEST:
        row = int(np.argmax(column.codes == column.kinds.index(longest)))
        raise ValueError(
            f"column {quoted(column.name)} holds a text of {len(longest):,} characters in {where(row)}, which is no "
            "category; drop the column, or replace its texts by short names"
        )


def _refuse_many(column: Column, where: Callable[[int], str]) -> None:
    kinds, n = column.kinds, len(column.codes)
    if len(kinds) <= FEW or (len(kinds) <= MOST_CATEGORIES and 2 * len(kinds) <= n):
        return
    name = quoted(column.name)
    share, odd = written.odd_ones(column)
    if share >= 0.5:
        text = column.kinds[column.codes[odd[0]]]
        raise ValueError(
            f"column {name} holds numbers in {share:.0%} of the rows and other texts in {len(odd)}, the first "
            f"{quoted(text)} in {where(int(odd[0]))}; correct those, or drop the column"
        )
    limit = f"more than {MOST_CATEGORIES} categories" if len(kinds) > MOST_CATEGORIES else f"so many for {n} rows"
    raise ValueError(
        f"column {name} has {len(kinds)} different texts such as {quoted(kinds[0])}; {limit} are most often an "
        f"identifier or a date{_hint(kinds)}: drop the column, group its values, or write a date as a number"
    )


def _hint(kinds: tuple[str, ...]) -> str:
    """What the texts look like once a sign is taken off."""
    bare = ["".join(c for c in kind if c not in "%€$£¥").strip() for kind in kinds[:100]]
    if written.reading(bare) == "text":
        return ""
    return ", and these are numbers with a sign: write them without"
