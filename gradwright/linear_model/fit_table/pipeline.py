"""Pipeline: columns as a file has them to predictions, so that a saved model takes a data frame of new rows."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from gradwright.linear_model.fit_table.column import Column
from gradwright.linear_model.fit_table.one_hot import named

ROWS = 100
"""By which a transformer learns the names of columns; categories are given to it."""


def pipeline(columns: list[Column], scale: Any, model: Any) -> Pipeline:
    """Of fitted parts: texts to one column per category but the first, then the scale, then the model.

    It takes a pandas data frame that has ``columns``, and maybe others, which it leaves.
    """
    import pandas

    parts: list[Any] = []
    # neighbours of one kind go together; so the order is that of the fit
    for text, group in groupby(columns, lambda column: column.codes is not None):
        some = list(group)
        part: Any = "passthrough"
        if text:
            kinds = [np.array(sorted(column.kinds), object) for column in some]
            part = OneHotEncoder(categories=kinds, drop="first", sparse_output=False, feature_name_combiner=named)
        parts.append((f"{'texts' if text else 'numbers'} {len(parts)}", part, [column.name for column in some]))
    encoder = ColumnTransformer(parts, verbose_feature_names_out=False)
    encoder.fit(pandas.DataFrame({column.name: column.head(ROWS) for column in columns}))
    return make_pipeline(encoder, scale, model).set_output(transform="pandas")
