"""Written: numbers as countries write them, with a comma or a point for decimals and marks between thousands.

A column that both ways read to different numbers is decided by the other columns of the file; where they do not tell,
it is refused, since each guess would be wrong by a factor of a thousand in half the cases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy import ndarray

from gradwright.linear_model.fit_table.column import Column
from gradwright.linear_model.fit_table.text import quoted

MISSING = frozenset(
    (
        "na",
        "n/a",
        "#n/a",
        "#na",
        "<na>",
        "nan",
        "-nan",
        "null",
        "none",
        "nil",
        "missing",
        "?",
        "-",
        "--",
        ".",
        "#n/a n/a",
    )
)
"""What stands for a missing value among numbers; among texts it is a text like others."""
_BETWEEN = "[ \u00a0\u2009\u202f'’]"
_INFINITE = "[+-]?inf(?:inity)?"


def _pattern(group: str, decimal: str) -> re.Pattern[str]:
    whole = rf"(?:[1-9]\d{{0,2}}(?:(?:{group}\d{{3}})+|(?:{_BETWEEN}\d{{3}})+)|\d+)"
    number = rf"[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?"
    return re.compile(rf"{number}|{_INFINITE}", re.ASCII | re.IGNORECASE)


POINT, COMMA = _pattern(",", r"\."), _pattern(r"\.", ",")


def reading(texts: Iterable[str]) -> str:
    """How texts are numbers: 'point' or 'comma' for decimals, 'either', 'same' where both give the same, or 'text'."""
    point = comma = True
    marked = False
    for text in texts:
        text = text.replace("−", "-")
        point = point and POINT.fullmatch(text) is not None
        comma = comma and COMMA.fullmatch(text) is not None
        if not (point or comma):
            return "text"
        marked = marked or "," in text or "." in text
    if point and comma:
        return "either" if marked else "same"
    return "point" if point else "comma"


def number(text: str, how: str) -> float:
    """A text as the number that it is when read with a decimal 'point' or 'comma'."""
    group, decimal = (".", ",") if how == "comma" else (",", ".")
    text = re.sub(_BETWEEN, "", text.replace("−", "-")).replace(group, "").replace(decimal, ".")
    return float(text)


def resolve(columns: Sequence[Column], as_written: Callable[[list[int]], list[Column]]) -> list[Column]:
    """Columns of texts that are numbers, as numbers; ``as_written`` answers columns of numbers as they were written.

    Raises:
        ValueError: a column may be read in two ways, and no other column tells in which.
    """
    out = [_all_missing(column) for column in columns]
    how = {j: reading(_present(column)) for j, column in enumerate(out) if column.codes is not None and column.kinds}
    how = {j: way for j, way in how.items() if way != "text" and _present(out[j])}
    if any(way in ("comma", "either") for way in how.values()):
        # in such a file a column of 1.234 may be of thousands
        plain = [j for j, column in enumerate(out) if column.numbers is not None and column.numbers.dtype.kind == "f"]
        for j, column in zip(plain, as_written(plain) if plain else []):
            way = reading(_present(column))
            if way == "either" and "comma" in how.values():
                out[j] = column
            if way in ("point", "either"):
                how[j] = way
    seen = {way for way in how.values() if way in ("point", "comma")}
    for j, way in how.items():
        if out[j].codes is None:
            continue
        if way == "either":
            way = _decide(out[j], seen)
        out[j] = _converted(out[j], "point" if way == "same" else way)
    return out


def _all_missing(column: Column) -> Column:
    """A column of nothing but one mark for missing values, as such."""
    lost = len(column.kinds) == 1 and column.kinds[0].lower() in MISSING
    return column.as_numbers(np.array([np.nan])) if lost else column


def _present(column: Column) -> list[str]:
    return [text for text in column.kinds if text.lower() not in MISSING]


def _decide(column: Column, seen: set[str]) -> str:
    if len(seen) == 1:
        return next(iter(seen))
    example = next(text for text in _present(column) if "," in text or "." in text)
    if not seen and not any("," in text for text in _present(column)):
        return "point"
    raise ValueError(
        f"column {quoted(column.name)} holds numbers as {example!r}, which is {number(example, 'comma'):.10g} with "
        f"a decimal comma and {number(example, 'point'):.10g} with a decimal point, and the file does not tell which; "
        "write numbers with a decimal point and nothing between thousands"
    )


def _converted(column: Column, way: str) -> Column:
    lost = {text for text in column.kinds if text.lower() in MISSING}
    values = np.array([np.nan if text in lost else number(text, way) for text in column.kinds])
    note, example = "", next((text for text in column.kinds if text not in lost and not _plain(text)), None)
    if example is not None:
        comma = way == "comma" and any("," in text for text in column.kinds)
        marks = "decimal comma" if comma else "marks between thousands"
        note = f"{marks}: {example!r} is read as {number(example, way):.10g}"
    return column.as_numbers(values, note, "" if example is None else "," if way == "comma" else ".")


def _plain(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "," not in text


def odd_ones(column: Column) -> tuple[float, ndarray]:
    """The part of the rows that are numbers, and the rows that are not, for a column of texts.

    Where all are numbers, some with a decimal comma and some with a point, those of the rarer kind are the odd ones.
    """
    assert column.codes is not None
    ways = [{"text": 0, "point": 1, "comma": 2}.get(reading([text]), 3) for text in column.kinds]
    marks = [3 if text.lower() in MISSING else way for text, way in zip(column.kinds, ways)]
    rows = np.array([*marks, 3])[column.codes]
    odd = rows == 0
    if not odd.any():
        odd = rows == (2 if np.sum(rows == 2) <= np.sum(rows == 1) else 1)
    return float(np.mean(~odd)), np.flatnonzero(odd)
