"""Frames: data frames that are not of pandas (Polars, pyarrow, DuckDB and the like), known by what they can.

A frame answers ``__arrow_c_stream__`` or ``__dataframe__`` and has named columns; a series the same without columns.
"""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy import ndarray


def _exports(value: Any) -> bool:
    # pandas has both protocols too, and is read as scikit-learn reads it
    given = any(hasattr(value, way) for way in ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__"))
    return given and not hasattr(value, "iloc")


def is_series(value: Any) -> bool:
    """Whether a value is one column of such a frame."""
    return _exports(value) and not is_frame(value)


def is_frame(value: Any) -> bool:
    """Whether a value is such a frame.

    Raises:
        ValueError: it is a plan of a frame that is not computed yet.
    """
    if hasattr(value, "collect_schema") and not _exports(value):
        raise ValueError(f"X is a {type(value).__name__}, which is not computed yet; pass X.collect()")
    return _exports(value) and (hasattr(value, "columns") or hasattr(value, "column_names"))


def known(frame: Any) -> Any:
    """A frame whose columns can be taken one by one, with a shape.

    Raises:
        ValueError: it cannot, and pyarrow, which would read it, is missing.
    """
    if hasattr(frame, "get_column") or hasattr(frame, "column_names"):
        return frame
    try:
        import pyarrow

        return pyarrow.table(frame)
    except (ImportError, TypeError):
        name = type(frame).__name__
        raise ValueError(f"X is a {name}, which is read with pyarrow: pip install pyarrow, or pass an array") from None


def names(frame: Any) -> list[str]:
    """The names of its columns."""
    return list(frame.column_names if hasattr(frame, "column_names") else frame.columns)


def matrix(frame: Any) -> ndarray:
    """The values of a known frame, shape (n, d): float32 where every column is, else float64; NaN where one is missing.

    Raises:
        ValueError: a column of text, dates or lists, with its name and the way out.
    """
    columns = [_numbers(name, np.asarray(frame[name])) for name in names(frame)]
    if not columns:
        return np.zeros((frame.shape[0], 0))
    single = all(column.dtype == np.float32 for column in columns)
    out = np.empty((len(columns[0]), len(columns)), np.float32 if single else np.float64)
    for j, column in enumerate(columns):
        out[:, j] = column
    return out


def _numbers(name: str, values: ndarray) -> ndarray:
    if values.dtype.kind in "biuf":
        return values
    example = next((value for value in values.tolist() if value is not None), None) if values.dtype.kind == "O" else 0
    if values.dtype.kind == "O" and (example is None or _is_number(example)):
        return np.array([np.nan if value is None else float(value) for value in values], np.float64)
    example = values[0] if values.dtype.kind != "O" else example
    what = "dates or times" if values.dtype.kind in "Mm" else "values"
    raise ValueError(
        f"column {name!r} of X holds {what} such as {str(example)!r}, not numbers (could not convert string to float); "
        "encode it, for instance with sklearn.preprocessing.OneHotEncoder, or turn dates into a number"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (Real, Decimal))
