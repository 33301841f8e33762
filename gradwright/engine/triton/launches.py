"""What is printed of a program: its kernels, how each begins, and what a launch of it takes."""

from __future__ import annotations

from dataclasses import dataclass

ENTER_CHUNK = (
    "t = tl.load(chunk + c * 3)",
    "begin = tl.multiple_of(tl.load(chunk + c * 3 + 1), BLOCK)",
    "end = tl.load(chunk + c * 3 + 2)",
)
ENTER_TILE = (
    "t = tl.load(chunk + c * 5)",
    "top = tl.load(chunk + c * 5 + 1)",
    "bottom = tl.load(chunk + c * 5 + 2)",
    "left = tl.multiple_of(tl.load(chunk + c * 5 + 3), WIDTH)",
    "part = tl.load(chunk + c * 5 + 4)",
)
ENTER_STRIP = (
    "c = tl.program_id(0).to(tl.int64)",
    "t = tl.load(strip + c * 4)",
    "by_row = tl.load(strip + c * 4 + 1) == 0",
    "i = tl.load(strip + c * 4 + 2) + tl.arange(0, FOLD)",
    "inside = i < tl.load(strip + c * 4 + 3)",
)
"""How a kernel begins that takes a chunk of entries, a tile of a matrix, or a strip of a vector."""

ENTER_LINES = (
    "line = tl.load(lines + t * 2)",
    "filled = tl.load(lines + t * 2 + 1)",
)
"""What it looks up besides where neighbours share a scale: chunks and tiles are then counted as if lines were full."""


@dataclass(frozen=True)
class Launch:
    """One kernel of a printed program, which belongs to a sweep: an instance for each ``chunk``, ``strip`` or
    ``tensor``."""

    sweep: int
    name: str
    grid: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Printed:
    """A program as Triton.

    Attributes:
        source: a Python module.
        launches: its kernels, in the order in which they run.
        row: the host nodes of a row of ``scalars``, those that only the shared program reads last.
        derived: the shared nodes of a row of ``derived``.
        numbers: how many values a row of ``number`` has.
    """

    source: str
    launches: tuple[Launch, ...]
    row: tuple[int, ...]
    derived: tuple[int, ...]
    numbers: int
