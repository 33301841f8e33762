"""Tables: CSV and Parquet files as numbers, with categories one-hot and missing values named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

MOST_CATEGORIES = 100


@dataclass
class Table:
    """Columns of numbers with their names, and the target column as it was."""

    X: ndarray
    names: list[str]
    y: ndarray
    encoded: dict[str, list[str]]
    """Categorical columns and the categories that became columns."""
    frame: Any


def read(path: str | Path, target: str) -> Table:
    """Read a file; text columns become one column per category but the first.

    Raises:
        ValueError: the file cannot be read, the target is not a column, values are missing, or a column has too many
            categories; each with the column and the way out.
    """
    pandas = require_pandas()
    path = Path(path)
    if not path.exists():
        raise ValueError(f"there is no file {str(path)!r}")
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; give a CSV or Parquet file")
    parquet = path.suffix.lower() in (".parquet", ".pq")
    try:
        frame = pandas.read_parquet(path) if parquet else _csv(pandas, path)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8 text; save it as CSV in UTF-8") from None
    except ImportError as missing:
        raise ValueError(f"{path.name} cannot be read: {missing}; pip install pyarrow, or give a CSV file") from None
    except Exception as why:
        line = str(why).splitlines()[0] if str(why) else type(why).__name__
        raise ValueError(
            f"{path.name} cannot be read as {'Parquet' if parquet else 'CSV'}: {line}; a table has a header and as "
            "many fields in every line"
        ) from None
    if target not in frame.columns:
        raise ValueError(f"{path.name} has no column {target!r} for --target; its columns are {_some(frame.columns)}")
    if len(frame) == 0:
        raise ValueError(f"{path.name} has a header and no rows")
    holes = frame.isna().sum()
    if holes.any():
        found = ", ".join(f"{name!r} ({count} of {len(frame)} rows)" for name, count in holes[holes > 0].items())
        raise ValueError(f"missing values in {found}; fill them, drop those rows, or drop the column")
    return _encode(pandas, frame, target)


def require_pandas() -> Any:
    """pandas, or an error that says how to get it."""
    try:
        import pandas
    except ModuleNotFoundError:
        raise ValueError('tables are read with pandas: pip install "gradwright[study]"') from None
    return pandas


def _csv(pandas: Any, path: Path) -> Any:
    """A CSV file, its separator found in the header; a comma may be the decimal point where it does not separate."""
    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline()
    separator = max(",;\t|", key=header.count)
    frame = pandas.read_csv(path, sep=separator, encoding="utf-8-sig")
    if separator == ",":
        return frame
    other = pandas.read_csv(path, sep=separator, encoding="utf-8-sig", decimal=",")
    numbers = [len(table.select_dtypes("number").columns) for table in (frame, other)]
    return other if numbers[1] > numbers[0] else frame


def _some(values: Any) -> str:
    values = [repr(str(v)) for v in values]
    return ", ".join(values[:12]) + (f" and {len(values) - 12} more" if len(values) > 12 else "")


def _encode(pandas: Any, frame: Any, target: str) -> Table:
    columns, names, encoded = [], [], {}
    for name in frame.columns:
        if name == target:
            continue
        column = frame[name]
        if pandas.api.types.is_bool_dtype(column) or pandas.api.types.is_numeric_dtype(column):
            columns.append(column.to_numpy(np.float64))
            names.append(str(name))
            continue
        text = column.astype(str)
        kinds = sorted(text.unique())
        if len(kinds) > MOST_CATEGORIES:
            raise ValueError(
                f"column {name!r} has {len(kinds)} different texts such as {kinds[0]!r}; more than {MOST_CATEGORIES} "
                "categories are most often an identifier or a date: drop the column, group its values, or write a date "
                "as a number"
            )
        encoded[str(name)] = kinds
        for kind in kinds[1:]:
            columns.append((text == kind).to_numpy(np.float64))
            names.append(f"{name}={kind}")
    if not columns:
        raise ValueError(f"there is no column beside the target {target!r}")
    X = np.column_stack(columns)
    if not np.isfinite(X).all():
        raise ValueError(
            f"column {names[int(np.argwhere(~np.isfinite(X))[0][1])]!r} holds infinite values; replace them"
        )
    return Table(X, names, frame[target].to_numpy(), encoded, frame)
