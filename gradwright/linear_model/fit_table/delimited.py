"""Delimited: the columns of a text file, once its layout is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gradwright.linear_model.fit_table.column import TRUTH, Column
from gradwright.linear_model.fit_table.layout import Layout


def columns(path: Path, layout: Layout, only: list[int] | None = None) -> list[Column]:
    """All columns, or as texts those of some places in the header."""
    import pandas

    some: dict[str, Any] = {} if only is None else {"usecols": only, "dtype": str}
    with layout.rows(path) as stream:
        if len(layout.lines) == 0:
            return [Column(name, numbers=np.zeros(0)) for name in layout.names]
        frame = pandas.read_csv(
            stream, sep=layout.separator, header=None, names=range(len(layout.names)), index_col=False,
            skipinitialspace=True, keep_default_na=False, low_memory=False, **some,
        )  # fmt: skip
    if len(frame) != len(layout.lines):
        raise ValueError(
            f"{path.name} cannot be read as CSV: {len(layout.lines)} or {len(frame)} rows, by how its quotes are "
            "taken; write a quote inside a field twice"
        )
    return [_column(layout.names[place], frame[place]) for place in frame.columns]


def _column(name: str, values: Any) -> Column:
    if values.dtype.kind in "iufb" and str(values.dtype) != "string":
        numbers = values.to_numpy()
        return Column(name, numbers=numbers.astype(np.float64) if numbers.dtype.kind == "u" else numbers)
    column = Column.of_texts(name, values)
    if column.kinds and all(kind.lower() in TRUTH for kind in column.kinds) and len(column.missing) == 0:
        truth = np.array([TRUTH[kind.lower()] for kind in column.kinds])
        return Column(name, numbers=truth[column.codes])
    return column
