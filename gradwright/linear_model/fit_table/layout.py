"""Layout: the separator and the header of a text file, and in which line each row begins, all rows as wide as it."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy import ndarray

from gradwright.linear_model.fit_table import files
from gradwright.linear_model.fit_table.text import listed, quoted, shown

SEPARATORS = ",;\t|"
OTHER_FORMATS = {"{": "JSON", "[": "JSON", "<": "HTML or XML", "@": "ARFF", "%": "ARFF"}
"""How files begin that cannot be read as CSV."""
SAMPLE = 64
"""Lines by which the separator is chosen."""
END = "a table has a header and as many fields in every line"


@dataclass(frozen=True)
class Layout:
    """How a text file is a table.

    Attributes:
        kind: of compression, or 'text'.
        encoding: of its text.
        separator: between fields.
        names: of the header; an empty one where a field is empty.
        padded: whether blanks stand beside separators.
        told: whether the first line is Excel's own, which names the separator.
        lines: the number of the line in which each row begins, counted from 1.
    """

    kind: str
    encoding: str
    separator: str
    names: list[str]
    padded: bool
    told: bool
    lines: ndarray

    @contextmanager
    def rows(self, path: Path) -> Iterator[TextIO]:
        """The text below the header."""
        with files.text(path, self.kind) as stream:
            if self.told:
                next(stream)
            # a reader takes no more lines than a row needs
            header = next(row for row in csv.reader(stream, **self.dialect) if not blank(row))
            assert len(header) == len(self.names)
            yield stream

    @property
    def options(self) -> list[str]:
        """What pandas.read_csv is told to read such a file, in Python."""
        separator = [] if self.separator == "," else [f"sep={self.separator!r}"]
        if self.padded:
            mark = r"\|" if self.separator == "|" else self.separator
            separator = [f'sep=r"\\s*{mark}\\s*"', 'engine="python"']
        encoding = [f"encoding={self.encoding!r}"] if self.encoding != "utf-8-sig" else []
        return [*separator, *encoding, *["skiprows=1"] * self.told]

    @property
    def dialect(self) -> dict[str, Any]:
        """What csv.reader is told."""
        return {"delimiter": self.separator, "skipinitialspace": True}


def blank(row: list[str]) -> bool:
    """Whether a line holds no field."""
    return not row or (len(row) == 1 and not row[0].strip())


def survey(path: Path, kind: str) -> Layout:
    """Go through all lines once.

    Raises:
        ValueError: a line has more or fewer fields than the header, a quote is left open, there is a NUL byte, or a
            name comes twice; with the line.
    """
    with files.text(path, kind) as stream:
        sample, encoding = list(islice(stream, SAMPLE)), stream.encoding
    if not "".join(sample).strip():
        raise ValueError(f"{path.name} cannot be read as CSV: it is empty; {END}")
    # Excel's own first line, which names the separator
    told = sample[0].strip().lower() if sample[0].strip().lower()[:4] == "sep=" else ""
    separator = told[4] if len(told) == 5 else _separator(sample)
    try:
        with files.text(path, kind) as stream:
            if told:
                next(stream)
            names, lines = _rows(path, stream, separator, int(bool(told)))
    except ValueError:
        other = OTHER_FORMATS.get("".join(sample).lstrip()[:1])
        if other is None:
            raise
        raise ValueError(f"{path.name} looks like {other} and is no table; save it as CSV or Parquet") from None
    tidy = [shown(name, 1000) for name in names]
    twice = next((name for place, name in enumerate(tidy) if name and name in tidy[:place]), None)
    if twice is not None:
        places = [place + 1 for place, name in enumerate(tidy) if name == twice]
        raise ValueError(
            f"{path.name} names the column {quoted(twice)} twice, in fields {places[0]} and {places[1]} of the header; "
            "rename one"
        )
    padded = separator != "\t" and any(f" {separator}" in line or f"{separator} " in line for line in sample)
    return Layout(kind, encoding, separator, tidy, padded, bool(told), lines)


def _separator(sample: list[str]) -> str:
    """The one that gives all sampled lines as many fields as the header, and most of them; else the header's."""
    # a quoted field may begin in the last line of the sample and end beyond it
    whole = sample[:-1] if len(sample) == SAMPLE else sample
    even: dict[str, int] = {}
    for separator in SEPARATORS:
        try:
            widths = {len(row) for row in csv.reader(whole, delimiter=separator, skipinitialspace=True) if row}
        except csv.Error:
            continue
        if len(widths) == 1 and max(widths) > 1:
            even[separator] = max(widths)
    return max(even, key=lambda s: even[s]) if even else max(SEPARATORS, key=sample[0].count)


def _rows(path: Path, stream: TextIO, separator: str, before: int) -> tuple[list[str], ndarray]:
    """The header, and the line of each row."""
    starts, header, start = array("q"), None, before + 1
    reader = csv.reader(_without_nul(path, stream, before), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if not blank(row):
                if header is None:
                    header = row
                elif len(row) != len(header):
                    raise ValueError(_uneven(path, start, row, header, separator))
                else:
                    starts.append(start)
            start = before + reader.line_num + 1
    except csv.Error as why:
        raise ValueError(f"{path.name} cannot be read as CSV: {_broken(str(why), start)}; {END}") from None
    return header or [], np.array(starts, np.int64)


def _without_nul(path: Path, stream: TextIO, before: int) -> Iterator[str]:
    for number, line in enumerate(stream, before + 1):
        if "\0" in line:
            raise ValueError(
                f"{path.name} holds a NUL byte in line {number}: it is UTF-16 without a byte order mark, or no text at "
                "all; save it as CSV in UTF-8"
            )
        yield line


def _broken(why: str, start: int) -> str:
    if "field limit" in why:
        return f"line {start} holds a field of more than {csv.field_size_limit():,} characters; is a quote left open?"
    if "unexpected end" in why:
        return f'the quote " that opens in line {start} or later is not closed'
    return f'line {start} holds a quote " inside a field; write it twice, or without quotes'


def _uneven(path: Path, line: int, row: list[str], header: list[str], separator: str) -> str:
    have = f"line {line} has {len(row)} field{'s' * (len(row) != 1)} and the header {len(header)} ({listed(header, 4)})"
    way = "; name the first column, too" if len(row) == len(header) + 1 else ""
    if separator == "," and len(row) > len(header):
        way = "; quote fields with a comma in them" + (", or name the first column" if way else "")
    return f"{path.name} cannot be read as CSV: {have}{way}; {END}"
