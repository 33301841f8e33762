"""Weighted Gram matrices of rows, Σᵢ wᵢ xᵢ xᵢᵀ, compiled: rows are brought to the coordinates of θ on the way.

    xᵢ = ((row − shift) / scale, 1)

A block of rows is standardised into the cache, multiplied by one weight of each row, and its lower triangle is summed
in tiles that stay in registers. For several weights of each row, as a softmax has them, the block is used as often.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from gradwright.linear_model.data import compiled
from gradwright.linear_model.data.compiled import address
from gradwright.linear_model.data.program import program

WIDEST = 384
"""Columns up to which the tiles' operands stay in the cache; BLAS, which packs its own, is better from there on."""

WORTH_THREADS = 20_000_000
"""From this many products on, sums are shared out to threads: a team waits for its next turn on cores that the rest of
a small fit could use."""

BLOCK = 64
"""Rows whose products are summed in the type of the products, before they are added to a sum in double."""

BLAS = 25.0
"""How many of its products numpy makes in the time of one of another pass, since these are products of matrices."""

SOURCE = Path(__file__).parent / "cpp" / "gram.cpp"


@cache
def _program(data: str, products: str) -> str:
    types = f"using T = {data};\nusing B = {products};\nconstexpr int BLOCK = {BLOCK};\n"
    return program(SOURCE, types=types)


def chosen(data: np.dtype, products: Any, p: int, work: float) -> Any:
    """The compiled sums for X of one type and products in another, or None where numpy is the choice."""
    if p > WIDEST or compiled.chosen() == "plain" or (compiled.chosen() == "auto" and work < compiled.WORTH_COMPILING):
        return None
    text = _program(compiled.C_NAMES[np.dtype(data)], compiled.C_NAMES[np.dtype(products)])
    library = compiled.load(text, work / BLAS)
    if library is None:
        return None
    library.gram.restype = ctypes.c_double
    return library.gram


def add(run: Any, rows: ndarray, shift: ndarray, inverse: ndarray, weights: ndarray, H: ndarray, shared: bool) -> float:
    """Add Σᵢ wᵢ xᵢ xᵢᵀ to the lower triangles of H.

    Args:
        run: what ``chosen`` answers.
        rows: of X, (m, d).
        shift, inverse: (d,), and one over the scale.
        weights: (pairs, m), in double.
        H: (pairs, p, p) in double; p is d, or d + 1 with an intercept.
        shared: whether threads share the rows.

    Returns:
        the largest ‖xᵢ‖².
    """
    m, d = rows.shape
    pairs, p, _ = H.shape
    if not (rows.strides[1] == rows.itemsize and rows.strides[0] >= d * rows.itemsize and rows.flags.aligned):
        rows = np.ascontiguousarray(rows)
    at, number = address, ctypes.c_int64
    weights = np.ascontiguousarray(weights, np.float64)
    place = (at(rows), number(m), number(d), number(rows.strides[0] // rows.itemsize))
    team = torch.get_num_threads() if shared else 1
    return run(*place, at(shift), at(inverse), p - d, at(weights), pairs, at(H), team)
