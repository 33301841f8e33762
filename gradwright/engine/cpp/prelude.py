"""What every C++ kernel begins with, and the arguments by which Python and the kernel know each other."""

from __future__ import annotations

from pathlib import Path

CHUNK = 16384
"""Entries in a chunk, the unit that threads share out; a reduction's order depends on it and on nothing else."""
HELD = 512
"""Entries that are converted at a time, where a storage wants that; whole groups."""
BLOCK = 2048
"""Entries that a reduction adds in single precision before it goes on in double."""

COUNTS = ("tensors", "chunks", "threads", "row_total", "column_total", "longest", "cells", "row")
BUFFERS = {
    "chunk": "const i64*",  # for each chunk: its tensor, first entry, number of entries
    "lines": "const i64*",  # for each tensor: how many entries are in a line of groups
    "keys": "const i64*",  # for each tensor: the key of its random bits at this step
    "whole": "const i64*",  # for each tensor: entries, rows and columns of all of it, of which this may be a shard
    "first": "const i64*",  # the first chunk of each tensor, and the end of the last behind
    "table": "void* const*",  # pointers: arrays of operands x tensors
    "scalars": "const C*",  # host values: tensors x values, or one row for all where `row` is 0
    "single": "C*",  # state of one number as it stood before: such operands x tensors
    "partial": "double*",  # reductions to one number: reductions x chunks
    "dims": "const i64*",  # for each tensor: rows, columns, and where its rows and columns begin among all
    "row_partial": "C*",  # reductions to rows: reductions x row_total
    "column_partial": "C*",  # reductions to columns, a vector a chunk: reductions x cells
    "chunk_cell": "const i64*",  # where the vector of each chunk begins
    "scratch": "C*",  # threads x vectors x longest
    "staging": "C*",  # new state by row or column, until everybody has read the old
}
"""The arguments of a kernel, in order: counts and buffers."""

_HERE = Path(__file__).parent
PRELUDE = (_HERE / "prelude.h").read_text()

FORMATS = f"enum {{ BLOCK = {HELD} }};\n" + "".join(
    (_HERE / f"{name}.h").read_text() for name in ("half", "random", "blockwise", "half_weights")
)
"""What is printed for other storages than plain ones."""
