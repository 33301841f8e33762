"""Parquet: the columns of a Parquet file by their types."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradwright.linear_model.fit_table.column import Column
from gradwright.linear_model.fit_table.text import quoted, shown


def columns(path: Path) -> tuple[list[Column], list[str]]:
    """All columns, and what was left out, in words.

    Raises:
        ValueError: pyarrow is missing, the file is damaged, a name comes twice, or a type is neither number nor text.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as missing:
        raise ValueError(f"{path.name} cannot be read: {missing}; pip install pyarrow, or give a CSV file") from None
    try:
        with path.open("rb") as file:
            table = parquet.ParquetFile(file).read()
    except (pyarrow.ArrowException, OSError) as why:
        raise ValueError(f"{path.name} cannot be read as Parquet: {shown(why, 200)}; is it whole?") from None
    names = [shown(name, 1000) for name in table.column_names]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ValueError(f"{path.name} has two columns named {quoted(twice)}; rename one")
    index = _unnamed_index(table)
    found = [_column(pyarrow, name, table.column(j)) for j, name in enumerate(names) if name not in index]
    return found, [f"the index of the data frame that {path.name} was written from is left out"] * bool(index)


def _unnamed_index(table: Any) -> list[str]:
    """Columns that only number the rows of a data frame."""
    try:
        about = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
        named = [name for name in about.get("index_columns", []) if isinstance(name, str)]
    except (ValueError, AttributeError):
        return []
    return [name for name in named if name.startswith("__index_level_")]


def _column(pyarrow: Any, name: str, values: Any) -> Column:
    kind, types = values.type, pyarrow.types
    if types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = values.type
    if types.is_boolean(kind) and values.null_count == 0:
        return Column(name, numbers=_numpy(values))
    if types.is_integer(kind) and values.null_count == 0 and not types.is_uint64(kind):
        return Column(name, numbers=_numpy(values).astype(np.int64))
    if types.is_decimal(kind):
        return Column(name, numbers=np.array([np.nan if v is None else float(v) for v in values.to_pylist()]))
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind):
        return Column(name, numbers=_numpy(values.cast(pyarrow.float64(), safe=False)))
    if types.is_temporal(kind):
        texts = Column.of_texts(name, np.array([None if v is None else str(v) for v in values.to_pylist()], object))
        example = next(iter(texts.kinds), "")
        return replace(texts, note=f"times are taken for texts such as {example!r}; give the model such texts, too")
    if types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        return Column.of_texts(name, np.array(values.to_pylist(), object))
    raise ValueError(f"column {quoted(name)} holds values of type {kind}; give numbers or text, or drop the column")


def _numpy(values: Any) -> Any:
    """A chunked array as one numpy array, NaN for null."""
    return np.concatenate(
        [np.asarray(chunk.to_numpy(zero_copy_only=False)) for chunk in values.chunks] or [np.zeros(0)]
    )
