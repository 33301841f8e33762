"""Operands: the arrays that a program reads and writes, and the kinds that say how large a value is."""

from __future__ import annotations

import enum
import math
import re
from dataclasses import dataclass
from typing import NamedTuple

from gradwright.core.storage import Storage

HOST, SHARED, TENSOR, ROW, COLUMN, ELEMENT = range(6)
"""Where a value lives: a double on the host that depends on knobs, step counts and host scalars; a double that depends
on totals, the loss or shared slots (never a Python ``if``); one number of each tensor, such as a norm; one of each row
or column, where the tensor is seen as a matrix of its leading against its trailing dimensions; one of each entry."""


COUNTED = ("numel", "rows", "columns")
"""The inputs that say how large a tensor is: how many entries, rows and columns all of it has."""


class Folding(NamedTuple):
    """How a tensor is seen as a matrix: the dimensions before ``leading`` number its rows.

    Where ``blocks`` is above 1, the next dimension is cut into so many equal parts, and these number rows too: three
    matrices that are stored as one, (3 d, d), are three rows of d · d entries.
    """

    leading: int
    blocks: int = 1

    @property
    def split(self) -> int:
        """How many dimensions number the rows, in the shape in which the tensor is seen."""
        return self.leading + (self.blocks > 1)

    def seen(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a tensor with the dimension that is cut written as two."""
        if self.blocks == 1:
            return shape
        at = self.leading
        return (*shape[:at], self.blocks, shape[at] // self.blocks, *shape[at + 1 :])

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Rows and columns of a tensor."""
        seen = self.seen(shape)
        return math.prod(seen[: self.split]), math.prod(seen[self.split :])

    @classmethod
    def between(cls, shape: tuple[int, ...], seen: tuple[int, ...]) -> Folding:
        """The one in which a tensor of ``shape`` is ``seen`` so."""
        return next(one for one in map(cls, range(len(shape)), seen) if one.seen(shape) == seen)


class Source(enum.Enum):
    """Where the memory of an operand comes from."""

    PARAM = enum.auto()
    GRAD = enum.auto()
    STATE = enum.auto()
    BETWEEN = enum.auto()
    """Lies between a sweep and an opaque link, and no longer than that."""
    SUM = enum.auto()
    """A tensor's part of a sum over all parameters."""


@dataclass(frozen=True)
class Operand:
    """An array beside each tensor that a program reads or writes.

    Args:
        name: ``param``, ``grad``, the key of a slot, or one of the names made below, which no slot can have.
        source: where its memory comes from.
        kind: ``TENSOR``, ``ROW``, ``COLUMN`` or ``ELEMENT``.
        storage: how it is held.
    """

    name: str
    source: Source
    kind: int
    storage: Storage

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of the arrays that hold it; the first is its own."""
        return tuple(self.name + suffix for suffix in self.storage.suffixes)


def taken_by(link: str) -> str:
    """The operand that an opaque link takes."""
    return f">{link}"


def made_by(link: str) -> str:
    """The operand that an opaque link makes."""
    return f"<{link}"


def summed_in(total: str, count: int) -> tuple[str, ...]:
    """The operands that hold a tensor's parts of a total, and the host inputs that hold their sums."""
    return tuple(f"+{total}.{k}" for k in range(count))


def plain(name: str) -> str:
    """A name of C++ or Python for any name of an operand, another one for each."""
    return re.sub(r"[^0-9A-Za-z_]", lambda found: f"_{ord(found.group()):x}_", name)
