"""Tables: CSV and Parquet files as numbers, with categories one-hot, and every fault named by its column and line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.core.spelling import nearest
from gradwright.linear_model.fit_table import delimited, files, layout, parquet, written
from gradwright.linear_model.fit_table.column import Column
from gradwright.linear_model.fit_table.encoder import Encoder
from gradwright.linear_model.fit_table.missing import settle
from gradwright.linear_model.fit_table.new_values import column_of
from gradwright.linear_model.fit_table.one_hot import one_hot
from gradwright.linear_model.fit_table.text import listed, quoted, shown

BETWEEN = "columns of a CSV file are separated by a comma, a semicolon, a tab or |"


def _row(row: int) -> str:
    return f"row {row + 1}"


def _kept(where: Callable[[int], str], kept: ndarray, row: int) -> str:
    return where(kept[row])


def _line(lines: ndarray, row: int) -> str:
    return f"line {lines[row]}"


@dataclass
class Table:
    """Columns of numbers with their names, and the target column as it was.

    Attributes:
        X: shape (n, d), NaN for missing numbers.
        names: of its columns.
        y: the target, shape (n,): int64, float64, bool, or texts.
        encoded: categorical columns and the categories that became columns.
        encoder: makes X of the columns; it has not learned from the rows to fit.
        notes: what a reader of the file may not expect, in words.
        where: names a row as the file does, "line 7" of a text file.
        columns: all but the target, as the file has them.
        call: a call of pandas that reads such a file.
    """

    X: ndarray
    names: list[str]
    y: ndarray
    encoded: dict[str, list[str]]
    encoder: Encoder = field(default_factory=Encoder)
    notes: list[str] = field(default_factory=list)
    where: Callable[[int], str] = _row
    columns: list[Column] = field(default_factory=list)
    call: str = ""


def read(path: str | Path, target: str, missing: str = "error", drop: Sequence[str] = ()) -> Table:
    """Read a file; text columns become one column per category but the first.

    Args:
        path: of the file.
        target: the column to predict.
        missing: one of ``WAYS``: what becomes of rows that lack a value.
        drop: names of columns that are left out.

    Raises:
        ValueError: the file cannot be read, a name is not that of a column, values are missing or infinite, or a column
            has too many categories; each with the column, the line and the way out.
    """
    columns, notes, where, call = columns_of(path)
    path, columns = Path(path), _without(columns, drop, target, Path(path))
    return _table(columns, path, target, notes, where, call, missing)


def columns_of(path: str | Path) -> tuple[list[Column], list[str], Callable[[int], str], list[str]]:
    """The columns of a file, notes, what names its rows, and a call of pandas that reads such a file."""
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
    return columns, notes, where, call


def new_columns(path: str | Path, encoder: Encoder) -> tuple[list[Column], list[str], Callable[[int], str]]:
    """The columns of an encoder out of a file of new rows, all names of that file, and what names its rows.

    Values are read as those of the fit were: what is a decimal comma there is one here, and what was a text is one.

    Raises:
        ValueError: the file cannot be read, a column is not there, or holds a text where the fit had numbers.
    """
    require_pandas()
    path = Path(path)
    kind = files.kind_of(path)
    if kind == "parquet":
        columns, _ = parquet.columns(path)
        named = {column.name: column for column in columns}
        codes = encoder.found(list(named))
        return [_as_new(code, named[code["name"]], _row) for code in codes], list(named), _row
    plan = layout.survey(path, kind)
    where = partial(_line, plan.lines)
    places = [plan.names.index(code["name"]) for code in encoder.found(plan.names)]
    texts = {column.name: column for column in delimited.columns(path, plan, sorted(places))}
    return [_as_new(code, texts[code["name"]], where) for code in encoder.codes], plan.names, where


def _as_new(code: dict[str, Any], column: Column, where: Callable[[int], str]) -> Column:
    values = column.head(len(column))
    return column_of(code, values if column.codes is None else np.where(column.codes < 0, None, values), where)


def _without(columns: list[Column], drop: Sequence[str], target: str, path: Path) -> list[Column]:
    """Without the columns of these names."""
    out, names = [shown(name, 1000) for name in drop], [column.name for column in columns]
    for name in out:
        if name not in names:
            hint = nearest(name, names, f"its columns are {listed(names)}")
            raise ValueError(f"{path.name} has no column {quoted(name)} for --drop; {hint}")
        if name == shown(target, 1000):
            raise ValueError(f"{quoted(name)} is the --target and in --drop too; give it once")
    return [column for column in columns if column.name not in out]


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
    columns: list[Column],
    path: Path,
    target: str,
    notes: list[str],
    where: Callable[[int], str],
    call: list[str],
    missing: str,
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
    chosen, others, kept, said = settle(chosen, others, missing, where)
    notes, columns = [*notes, *said], [chosen, *others]
    if len(kept) < n:
        where = partial(_kept, where, kept)
    for column in columns:
        _refuse_infinite(column, where)
        if column.note:
            notes.append(f"column {quoted(column.name)}: {column.note}")
        marks = [kind for kind in column.kinds if kind.lower() in written.MISSING]  # "(missing)" is none of them
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
    encoded = one_hot(others, where)
    y = chosen.numbers if chosen.codes is None else chosen.texts()
    encoder = Encoder.of(others, target)
    X, _ = encoder.encode(others)
    return Table(X, encoder.names, y, encoded, encoder, notes, where, others, ", ".join(call) + ")")


def _refuse_infinite(column: Column, where: Callable[[int], str]) -> None:
    if column.numbers is None or column.numbers.dtype.kind != "f":
        return
    rows = np.flatnonzero(np.isinf(column.numbers))
    if len(rows):
        raise ValueError(
            f"column {quoted(column.name)} holds infinite values, or numbers beyond 1e308, the first in "
            f"{where(rows[0])}; replace them"
        )
