"""Column: one column of a table as it was written: numbers, or texts by the places of those that differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

MISSING = "(missing)"
"""The category of rows without one, where they are kept."""

TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Column:
    """A name, and either numbers or texts.

    Attributes:
        name: of the header.
        numbers: int64, float64 or bool, shape (n,), NaN where one is missing; None for texts.
        codes: the place of each row's text in ``kinds``, shape (n,), −1 where it is missing; None for numbers.
        kinds: the texts that differ, in the order in which they come.
        note: how its values were read where that is not plain; empty where it is.
        decimal: "," or "." where its numbers were written so, with marks between thousands; empty where they are plain.
    """

    name: str
    numbers: ndarray | None = None
    codes: ndarray | None = None
    kinds: tuple[str, ...] = ()
    note: str = ""
    decimal: str = ""

    @staticmethod
    def of_texts(name: str, values: Any) -> Column:
        """From texts; blanks around them do not count, and an empty one is missing."""
        import pandas

        codes, uniques = pandas.factorize(values)
        # what differed by blanks around it only is one text
        tidy = [str(text).strip() for text in uniques]
        kinds = tuple(dict.fromkeys(text for text in tidy if text))
        place = {text: k for k, text in enumerate(kinds)}
        new = np.array([place.get(text, -1) for text in tidy] + [-1], np.int64)
        return Column(name, codes=new[codes], kinds=kinds)

    def __len__(self) -> int:
        return len(self.numbers if self.codes is None else self.codes)

    @property
    def missing(self) -> ndarray:
        """Rows without a value."""
        if self.codes is not None:
            return np.flatnonzero(self.codes < 0)
        return np.flatnonzero(np.isnan(self.numbers)) if self.numbers.dtype.kind == "f" else np.zeros(0, np.int64)

    @property
    def categories(self) -> list[str]:
        """The texts that differ, sorted, the one for missing values last."""
        return sorted(self.kinds, key=lambda kind: (kind == MISSING, kind))

    def at(self, rows: ndarray) -> Column:
        """Some of the rows."""
        if self.codes is None:
            return replace(self, numbers=self.numbers[rows])
        codes = self.codes[rows]
        there, new = np.unique(codes[codes >= 0], return_inverse=True)
        out = np.full(len(codes), -1, np.int64)
        out[codes >= 0] = new
        return replace(self, codes=out, kinds=tuple(self.kinds[k] for k in there))

    def with_missing(self) -> Column:
        """The same where missing texts are a category of their own."""
        if self.codes is None or not len(self.missing):
            return self
        kinds = self.kinds if MISSING in self.kinds else (*self.kinds, MISSING)
        return replace(self, codes=np.where(self.codes < 0, kinds.index(MISSING), self.codes), kinds=kinds)

    def texts(self) -> ndarray:
        """Each row's text."""
        return self.head(len(self.codes))

    def head(self, rows: int) -> ndarray:
        """The first values as the file has them."""
        if self.codes is None:
            return self.numbers[:rows]
        return np.array([*self.kinds, ""], object)[self.codes[:rows]]

    def as_numbers(self, of_kinds: ndarray, note: str = "", decimal: str = "") -> Column:
        """The same column where each of its texts is a number."""
        assert self.codes is not None
        return replace(
            self, numbers=np.append(of_kinds, np.nan)[self.codes], codes=None, kinds=(), note=note, decimal=decimal
        )
