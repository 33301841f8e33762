"""Missing values of a table: refused with their lines, or their rows dropped, or kept for the fit to fill."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from gradwright.linear_model.fit_table.column import Column
from gradwright.linear_model.fit_table.text import listed, quoted

WAYS = ("error", "drop", "impute")


def settle(
    target: Column, others: list[Column], way: str, where: Callable[[int], str]
) -> tuple[Column, list[Column], ndarray, list[str]]:
    """The target, the other columns, the rows that are left, and what was done in words.

    Args:
        way: "error" refuses; "drop" leaves out rows that lack anything; "impute" leaves out those that lack the target,
            makes missing texts a category, and leaves missing numbers to be filled by the rows of the fit.

    Raises:
        ValueError: something is missing and ``way`` is "error", or no row is left.
    """
    n, notes = len(target), []
    if way == "error":
        _refuse([*others, target], n, where)
        return target, others, np.arange(n), notes
    empty = [column for column in others if len(column.missing) == n]
    if empty:
        notes.append(f"column {listed(column.name for column in empty)} holds no value at all and is left out")
        others = [column for column in others if len(column.missing) < n]
    looked = [*others, target] if way == "drop" else [target]
    lacks = np.zeros(n, bool)
    for column in looked:
        lacks[column.missing] = True
    kept = np.flatnonzero(~lacks)
    if not len(kept):
        raise ValueError(f"every row lacks a value in {_counted(looked, n)}; fill them, or leave columns out by --drop")
    if lacks.any():
        notes.append(f"{lacks.sum()} of {n} rows lack a value and are left out: {_counted(looked, n)}")
        target, others = target.at(kept), [column.at(kept) for column in others]
    for column in others:
        count = len(column.missing)
        if count:
            what = "the category '(missing)'" if column.codes is not None else "the median of the rows to fit"
            beside = "" if column.codes is not None else ", and a column beside it says so"
            notes.append(f"column {quoted(column.name)}: {count} of {len(target)} rows lack it; {what} there{beside}")
    return target, [column.with_missing() for column in others], kept, notes


def _counted(columns: list[Column], n: int, most: int = 8) -> str:
    holes = [column for column in columns if len(column.missing)]
    words = ", ".join(f"{quoted(column.name)} ({len(column.missing)} of {n})" for column in holes[:most])
    return words + (f" and {len(holes) - most} more columns" if len(holes) > most else "")


def _refuse(columns: list[Column], n: int, where: Callable[[int], str], most: int = 8) -> None:
    holes = [(column, column.missing) for column in columns]
    holes = [(column, rows) for column, rows in holes if len(rows)]
    if not holes:
        return
    found = ", ".join(
        f"{quoted(column.name)} ({len(rows)} of {n} rows), first in {where(rows[0])}" for column, rows in holes[:most]
    )
    more = f" and {len(holes) - most} more columns" if len(holes) > most else ""
    raise ValueError(
        f"missing values in {found}{more}; --missing impute fills them, --missing drop leaves out those rows, --drop "
        "leaves out columns"
    )
