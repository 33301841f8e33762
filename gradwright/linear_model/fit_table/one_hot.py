"""One-hot: columns of texts as one column of zeros and ones for each category but the first."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import numpy as np
from numpy import ndarray

from gradwright.linear_model.fit_table import written
from gradwright.linear_model.fit_table.column import Column
from gradwright.linear_model.fit_table.text import quoted, shown

MOST_CATEGORIES = 100
FEW = 10
"""Categories that a column may have however few the rows are."""
LONGEST = 1000
"""Characters of a text that may be a category."""


def one_hot(columns: list[Column], where: Callable[[int], str]) -> tuple[dict[str, ndarray], dict[str, list[str]]]:
    """Columns of float64 by their names, and the categories of those that were texts, sorted.

    Raises:
        ValueError: a column has too many categories, or two columns would have one name.
    """
    out: dict[str, ndarray] = {}
    origin: dict[str, str] = {}
    encoded = {}

    def add(name: str, values: ndarray, source: str) -> None:
        if name in out:
            raise ValueError(
                f"{origin[name]} and {source} would both be named {quoted(name)}; rename one of the columns"
            )
        out[name], origin[name] = values, source

    for column in columns:
        if column.codes is None:
            add(column.name, column.numbers.astype(np.float64), f"column {quoted(column.name)}")
            continue
        refuse_long(column, where)
        _refuse_many(column, where)
        kinds = sorted(column.kinds)
        encoded[column.name] = kinds
        for kind in kinds[1:]:
            source = f"category {quoted(kind)} of column {quoted(column.name)}"
            place = column.kinds.index(kind)
            add(named(column.name, kind), (column.codes == place).astype(np.float64), source)
    if not out:
        one = next(iter(encoded))
        raise ValueError(
            f"column {quoted(one)} holds {quoted(encoded[one][0])} in every row, and no other column is left"
        )
    return out, encoded


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
