"""Encoder: columns as a file has them as numbers, the same for the rows of the fit and for new ones.

Numbers stay; a text becomes one column of zeros and ones for each category but the first. New rows may hold what the
fit never saw: a missing number is the median of the rows to fit, and a category that they did not have, or a missing
one, is their average row, so that it moves a prediction neither way. Where the fit itself had missing values, a column
beside says so for a number, and "(missing)" is a category like others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import BaseEstimator, TransformerMixin

from gradwright.core.spelling import nearest
from gradwright.core.warn import warn_user
from gradwright.linear_model.fit_table.column import MISSING, Column
from gradwright.linear_model.fit_table.new_values import column_of
from gradwright.linear_model.fit_table.one_hot import flag_name, named
from gradwright.linear_model.fit_table.text import listed, quoted


class Encoder(TransformerMixin, BaseEstimator):
    """The first part of a saved model; it takes a data frame that has its columns, and leaves others.

    Args:
        codes: for each column a dictionary of plain values: its name; kinds, its categories in order, or None for
            numbers; decimal, the mark in its numbers; flag, whether the fit had rows without it; fill, the median, and
            shares, the means of the columns of its categories.
        target: the name of the column that the model predicts.
    """

    def __init__(self, codes: Sequence[dict[str, Any]] = (), target: str = "") -> None:
        self.codes = codes
        self.target = target

    @classmethod
    def of(cls, columns: list[Column], target: str) -> Encoder:
        """For columns of a file, before it has learned from the rows to fit."""
        codes = [
            {
                "name": column.name,
                "kinds": column.categories if column.codes is not None else None,
                "decimal": column.decimal,
                "flag": column.codes is None and len(column.missing) > 0,
                "fill": float("nan"),
                "shares": [float("nan")] * max(len(column.categories) - 1, 0),
            }
            for column in columns
        ]
        return cls(codes, target)

    def learn(self, columns: list[Column], rows: ndarray) -> Encoder:
        """The same with medians and shares of the rows to fit."""
        codes = []
        for code, column in zip(self.codes, columns):
            if code["kinds"] is None:
                there = column.numbers[rows].astype(np.float64)
                there = there[~np.isnan(there)]
                codes.append({**code, "fill": float(np.median(there)) if len(there) else 0.0})
            else:
                shares = _dummies(code, column)[0][rows].mean(0)
                codes.append({**code, "shares": [float(share) for share in shares]})
        return Encoder(codes, self.target)

    @property
    def names(self) -> list[str]:
        """Of the columns of numbers."""
        out: list[str] = []
        for code in self.codes:
            if code["kinds"] is None:
                out += [code["name"], *([flag_name(code["name"])] if code["flag"] else [])]
            else:
                out += [named(code["name"], kind) for kind in code["kinds"][1:]]
        return out

    def encode(self, columns: list[Column]) -> tuple[ndarray, list[str]]:
        """Columns in the order of ``codes`` as (n, d) numbers, and what was put in place of what is not known."""
        parts, notes = [], []
        for code, column in zip(self.codes, columns):
            if code["kinds"] is None:
                numbers = column.numbers.astype(np.float64)
                lacks = np.isnan(numbers)
                parts.append(np.where(lacks, code["fill"], numbers)[:, None])
                if code["flag"]:
                    parts.append(lacks.astype(np.float64)[:, None])
                elif lacks.any():
                    notes.append(
                        f"{quoted(code['name'])} is missing in {lacks.sum()} of {len(numbers)} rows; the median of the "
                        f"fit, {code['fill']:.6g}, takes its place"
                    )
            else:
                part, unknown = _dummies(code, column)
                parts.append(part)
                notes += unknown
        n = len(columns[0]) if columns else 0
        return np.column_stack(parts) if parts else np.zeros((n, 0)), notes

    def fit(self, X: Any, y: Any = None) -> Encoder:
        """Nothing: what it knows is in its arguments."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def get_feature_names_out(self, input_features: Any = None) -> ndarray:
        """The names of the columns of numbers."""
        return np.array(self.names, object)

    def transform(self, X: Any) -> Any:
        """A data frame with the columns of the file as one of numbers.

        Raises:
            TypeError: X is no data frame.
            ValueError: a column is not there, or holds a text where the fit had numbers.
        """
        if not hasattr(X, "columns"):
            raise TypeError(f"X is a {type(X).__name__}; give a pandas data frame, whose columns have names")
        columns = [self.column(code, X[code["name"]]) for code in self.found(list(map(str, X.columns)))]
        values, notes = self.encode(columns)
        for note in notes:
            warn_user(note)
        return type(X)(values, columns=self.names, index=X.index)

    def found(self, names: list[str]) -> Sequence[dict[str, Any]]:
        """``codes``, all of which are among these names.

        Raises:
            ValueError: some are not.
        """
        lost = [code["name"] for code in self.codes if code["name"] not in names]
        if lost:
            near = nearest(lost[0], names, f"there are {listed(names)}")
            raise ValueError(f"there is no column {listed(lost)}, of which the model was fitted; {near}")
        return self.codes

    @staticmethod
    def column(code: dict[str, Any], values: Any, where: Any = None) -> Column:
        """New values of one column, read as those of the fit were."""
        return column_of(code, values, where or (lambda row: f"row {row + 1}"))


def _dummies(code: dict[str, Any], column: Column) -> tuple[ndarray, list[str]]:
    """A column of zeros and ones for each category but the first, and what the fit did not have, in words."""
    place = {kind: k for k, kind in enumerate(code["kinds"])}
    last = place.get(MISSING, -1)
    codes = np.array([*(place.get(kind, -1) for kind in column.kinds), last], np.int64)[column.codes]
    out = (codes[:, None] == np.arange(1, len(place))).astype(np.float64)
    out[codes < 0] = code["shares"]
    notes, n, name = [], len(codes), quoted(code["name"])
    new = [kind for kind in column.kinds if kind not in place]
    rows = int(np.isin(column.codes, [k for k, kind in enumerate(column.kinds) if kind not in place]).sum())
    if rows:
        notes.append(
            f"{name} is {listed(new, 3)} in {rows} of {n} rows, which the fit did not have; they count as its average"
        )
    if last < 0 and (column.codes < 0).any():
        notes.append(
            f"{name} is missing in {(column.codes < 0).sum()} of {n} rows; they count as the average of the fit"
        )
    return out, notes
