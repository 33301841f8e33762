"""Tables: CSV and Parquet files as numbers, with categories one-hot, and every fault named by its column and line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.fit_table import delimited, files, layout, parquet, written
from gradwright.linear_model.fit_table.column import Column
from gradwright.linear_model.fit_table.one_hot import one_hot
from gradwright.linear_model.fit_table.text import listed, quoted, shown

BETWEEN = "columns of a CSV file are separated by a comma, a semicolon, a tab or |"


def _row(row: int) -> str:
    return f"row {row + 1}"


def _line(lines: ndarray, row: int) -> str:
    return f"line {lines[row]}"


@dataclass
class Table:
    """Columns of numbers with their names, and the target column as it was.

    Attributes:
        X: shape (n, d).
        names: of its columns.
        y: the target, shape (n,): int64, float64, bool, or texts.
        encoded: categorical columns and the categories that became columns.
        notes: what a reader of the file may not expect, in words.
        where: names a row as the file does, "line 7" of a text file.
        columns: all but the target, as the file has them.
        call: a call of pandas that reads such a file.
    """

    X: ndarray
    names: list[str]
    y: ndarray
    encoded: dict[str, list[str]]
    notes: list[str] = field(default_factory=list)
    where: Callable[[int], str] = _row
    columns: list[Column] = field(default_factory=list)
    call: str = ""


def read(path: str | Path, target: str) -> Table:
    """Read a file; text columns become one column per category but the first.

    Raises:
        ValueError: the file cannot be read, the target is not a column, values are missing or infinite, or a column has
            too many categories; each with the column, the line and the way out.
    """
    require_pandas()
    path = Path(path)
    kind = files.kind_of(path)
    if kind == "parquet":
        columns, left_out = parquet.columns(path)
        columns, notes = _named(columns, path)
        notes += left_out
        call = ['pandas.read_parquet("new.parquet"']
        where: Callable[[int], str] = _row
        columns = written.resolve(columns, lambda places: [])
    else:
        plan = layout.survey(path, kind)
        where = partial(_line, plan.lines)
        call = ['pandas.read_csv("new.csv"', *plan.options]
        columns, notes = _named(delimited.columns(path, plan), path)
        places = {name: place for place, name in enumerate(plan.names)}
        columns = written.resolve(
            columns, lambda some: delimited.columns(path, plan, [places[columns[j].name] for j in some])
        )
    return _table(columns, path, target, notes, where, call)


def require_pandas() -> Any:
    """pandas, or an error that says how to get it."""
    try:
        import pandas
    except ModuleNotFoundError:
        raise ValueError('tables are read with pandas: pip install "gradwright[study]"') from None
    return pandas


def _named(columns: list[Column], path: Path) -> tuple[list[Column], list[str]]:
    """Without columns that have no name, where they hold nothing or only number the rows."""
    kept, notes = [], []
    for place, column in enumerate(columns):
        if column.name:
            kept.append(column)
            continue
        numbers, n = column.numbers, len(column)
        counts = numbers is not None and any(np.array_equal(numbers, np.arange(first, first + n)) for first in (0, 1))
        if n and not counts and len(column.missing) < n:
            raise ValueError(f"field {place + 1} of the header of {path.name} is empty; give that column a name")
        what = "numbers the rows" if counts else "is empty"
        notes.append(f"field {place + 1} has no name and {what}; it is left out")
    return kept, notes


def _table(
    columns: list[Column], path: Path, target: str, notes: list[str], where: Callable[[int], str], call: list[str]
) -> Table:
    target, names = shown(target, 1000), [column.name for column in columns]
    if not names:
        raise ValueError(f"no field of the header of {path.name} has a name; the first line names the columns")
    if target not in names:
        found = (
            f"its columns are {listed(names)}" if len(names) > 1 else f"its only column is {listed(names)}; {BETWEEN}"
        )
        raise ValueError(f"{path.name} has no column {quoted(target)} for --target; {found}")
    chosen = columns[names.index(target)]
    n = len(chosen)
    if n == 0:
        raise ValueError(f"{path.name} has a header and no rows")
    others = [column for column in columns if column is not chosen]
    if not others:
        hint = f"; {BETWEEN}" if "read_csv" in call[0] else ""
        raise ValueError(f"there is no column beside the target {quoted(target)}{hint}")
    _refuse_missing(columns, n, where)
    for column in columns:
        _refuse_infinite(column, where)
        if column.note:
            notes.append(f"column {quoted(column.name)}: {column.note}")
        marks = [kind for kind in column.kinds if kind.lower() in written.MISSING]
        if marks:
            what = "class" if column is chosen else "category"
            notes.append(
                f"column {quoted(column.name)}: {listed(marks, 3)} is taken for a {what}, not for a missing value"
            )
            call = [*call, "keep_default_na=False"] if "keep_default_na=False" not in call else call
    written_with = {column.decimal for column in columns if column.decimal}
    if "," in written_with:
        call = [*call, 'decimal=",", thousands="."']
    elif "." in written_with:
        call = [*call, 'thousands=","']
    X, encoded = one_hot(others, where)
    y = chosen.numbers if chosen.codes is None else chosen.texts()
    return Table(np.column_stack(list(X.values())), list(X), y, encoded, notes, where, others, ", ".join(call) + ")")


def _refuse_missing(columns: list[Column], n: int, where: Callable[[int], str], most: int = 8) -> None:
    holes = [(column, column.missing) for column in columns]
    holes = [(column, rows) for column, rows in holes if len(rows)]
    if not holes:
        return
    found = ", ".join(
        f"{quoted(column.name)} ({len(rows)} of {n} rows), first in {where(rows[0])}" for column, rows in holes[:most]
    )
    more = f" and {len(holes) - most} more columns" if len(holes) > most else ""
    raise ValueError(f"missing values in {found}{more}; fill them, drop those rows, or drop the column")


def _refuse_infinite(column: Column, where: Callable[[int], str]) -> None:
    if column.numbers is None or column.numbers.dtype.kind != "f":
        return
    rows = np.flatnonzero(~np.isfinite(column.numbers))
    if len(rows):
        raise ValueError(
            f"column {quoted(column.name)} holds infinite values, or numbers beyond 1e308, the first in "
            f"{where(rows[0])}; replace them"
        )
