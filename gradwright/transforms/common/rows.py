"""Rows and units: which entries of a parameter belong to one output of its layer."""

from __future__ import annotations

from gradwright.core import ParamSpec

ROWS = "!vector & !scalar & !bias & !gain"
"""Parameters that have rows worth telling apart."""


def row_dims(spec: ParamSpec, only: str = "*") -> tuple[int, ...]:
    """The dimensions that count the rows of a parameter; none where ``only`` does not pick it.

    A row is what one output of a layer reads, or one entry of an embedding: a row of a matrix, of each matrix in a
    stack, and a whole filter of a convolution. Each entry of a vector is a row.
    """
    if not spec.matches(only) or spec.own_ndim == 0:
        return ()
    return tuple(range(spec.own_ndim - 1)) if "stack" in spec.roles else (0,)


def units(spec: ParamSpec) -> tuple[int, ...]:
    """The dimensions that tell a tensor's units apart: the first one, which counts outputs, of two or more.

    A unit of a matrix is a row, of a convolution in one, two or three dimensions the kernel of one output channel, of
    a stack one matrix. A vector, and a single number, is one unit as a whole.
    """
    return (0,) if spec.own_ndim > 1 else ()
