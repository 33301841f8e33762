"""New values: a column of rows to predict, read as the column of the fit was, whatever its own rows would suggest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradwright.linear_model.fit_table import written
from gradwright.linear_model.fit_table.column import TRUTH, Column
from gradwright.linear_model.fit_table.text import quoted


def column_of(code: dict[str, Any], values: Any, where: Callable[[int], str]) -> Column:
    """A column of new values.

    Args:
        code: of the column, see ``Encoder``.
        values: a pandas series, or an array of numbers or texts.
        where: names a row in errors.

    Raises:
        ValueError: a text where the fit had numbers, or an infinite number; with the row.
    """
    import pandas

    series = pandas.Series(values).reset_index(drop=True)
    if code["kinds"] is not None:
        return Column.of_texts(code["name"], _texts(series))
    if series.dtype.kind in "iufb":
        numbers = series.to_numpy(np.float64, na_value=np.nan)
    else:
        numbers = _numbers(code, Column.of_texts(code["name"], _texts(series)), where)
    odd = np.flatnonzero(np.isinf(numbers))
    if len(odd):
        raise ValueError(f"column {quoted(code['name'])} holds an infinite value in {where(odd[0])}; replace it")
    return Column(code["name"], numbers=numbers)


def _texts(series: Any) -> Any:
    """Values as texts, None where one is missing."""
    return series.astype(object).map(lambda value: value if isinstance(value, str) else str(value), na_action="ignore")


def _numbers(code: dict[str, Any], column: Column, where: Callable[[int], str]) -> Any:
    known = [_number(text, code["decimal"]) for text in column.kinds]
    for place, value in enumerate(known):
        if value is None:
            row = int(np.argmax(column.codes == place))
            raise ValueError(
                f"column {quoted(code['name'])} holds {quoted(column.kinds[place])} in {where(row)}, and numbers in "
                "the rows of the fit; correct it, or leave it empty where it is missing"
            )
    return np.array([*known, np.nan], np.float64)[column.codes]


def _number(text: str, decimal: str) -> float | None:
    """A text as a number, as the file of the fit wrote them; NaN where it stands for none, None where it is another."""
    if text.lower() in written.MISSING:
        return float("nan")
    if text.lower() in TRUTH:
        return float(TRUTH[text.lower()])
    way = "comma" if decimal == "," else "point"
    if (decimal or "," in text) and written.reading([text]) in (way, "either", "same"):
        return written.number(text, way)
    try:
        return float(text)
    except ValueError:
        return None
