"""Passes over rows of X: compiled where that pays and a compiler is there, else numpy in blocks of rows."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gradwright.linear_model.data import compiled
from gradwright.linear_model.data.compiled import address, threads
from gradwright.linear_model.data.device_rows import DeviceRows
from gradwright.linear_model.data.program import program
from gradwright.linear_model.data.row_blocks import block_size, blocks
from gradwright.linear_model.data.row_loss import RowLoss
from gradwright.linear_model.losses import Loss

EVALUATE, CURVE, PREDICT = 0, 1, 2

ON_DEVICE = 2**18
"""Rows of a block where a device computes their products."""

FOLDER = Path(__file__).parent / "cpp"

LINE = ("along", "weights")
"""Passes over predictions alone; one library holds both."""


@cache
def _program(data: str, compute: str, loss: type[Loss], part: str) -> tuple[str, str]:
    """The text of a program, and which function of it makes the pass."""
    # one library of each kind, so that each compiles in a second or two
    kind = "line" if part in LINE else part.split("_")[0]
    types = f"using T = {data};\nusing A = {compute};\n"
    if kind == "sparse":
        types += f"using INDEX = {'int32_t' if part == 'sparse_32' else 'int64_t'};\n"
    text = program(FOLDER / f"{kind}.cpp", types=types, loss=loss.header())
    return text, part if part in LINE else f"{kind}_pass"


def function(part: str, work: float, data: np.dtype, compute: np.dtype, loss: Loss) -> Any:
    """One compiled pass for one loss, or None where numpy is the choice."""
    if compiled.chosen() == "plain" or (compiled.chosen() == "auto" and work < compiled.WORTH_COMPILING):
        return None
    names = compiled.C_NAMES[np.dtype(data)], compiled.C_NAMES[np.dtype(compute)]
    text, name = _program(*names, type(loss), part)
    library = compiled.load(text, work)
    if library is None:
        return None
    run = getattr(library, name)
    run.restype = None if part in LINE else ctypes.c_double
    return run


def rows_pass(mode: int, X: Any, terms: RowLoss, W, b, Z, D, G, gb) -> float:
    """One pass over the rows of X.

    Args:
        mode: ``EVALUATE``: new predictions into Z, their change into D, and the loss with its gradient. ``CURVE``: the
            Hessian at the predictions Z times the direction W, b. ``PREDICT``: predictions into Z.
        X: array, CSR matrix or ``DeviceRows``, (n, d).
        terms: the loss of these rows.
        W, b: (d, K) and (K,).
        Z, D: predictions (n, K), of the type they are computed in, and their change in float32 or None.
        G, gb: (d, K) and (K,), to which the gradient is added.

    Returns:
        the sum of losses.
    """
    n, d = X.shape
    K = W.shape[1]
    if isinstance(X, DeviceRows):
        return _plain_pass(mode, X, terms, W, b, Z, D, G, gb)
    sparse = hasattr(X, "indptr")
    work = float(X.nnz if sparse else n * d) * K
    run = None
    part = ("sparse_32" if X.indices.dtype == np.int32 else "sparse_64") if sparse else "dense"
    if sparse or X.flags.c_contiguous or (X.strides[1] == X.itemsize and X.strides[0] >= d * X.itemsize):
        run = function(part, work, X.data.dtype if sparse else X.dtype, Z.dtype, terms.loss)
    if run is None:
        return _plain_pass(mode, X, terms, W, b, Z, D, G, gb)
    given = (*(address(array) for array in (terms.y, terms.s, terms.offset, terms.u)), numbers(terms))
    tail = (*given, *(address(array) for array in (Z, D, G, gb)), threads(work))
    bias, size = np.ascontiguousarray(b, Z.dtype), (ctypes.c_int64(n), ctypes.c_int64(d))
    if sparse:
        padded = 1 if K == 1 else -(-K // 8) * 8
        weights = np.zeros((d, padded), Z.dtype)
        weights[:, :K] = W
        index = X.indices.dtype
        ends = X.indptr if X.indptr.dtype == index else X.indptr.astype(index)
        place = (address(X.data), address(X.indices), address(ends), *size)
        return run(mode, *place, address(weights), address(bias), K, padded, *tail)
    lanes = 64 // Z.itemsize
    weights = np.zeros((K, -(-d // lanes) * lanes), Z.dtype)
    weights[:, :d] = W.T
    stride = ctypes.c_int64(X.strides[0] // X.itemsize)
    return run(mode, address(X), *size, stride, address(weights), address(bias), K, *tail)


def _plain_pass(mode, X, terms: RowLoss, W, b, Z, D, G, gb) -> float:
    """The same in numpy: the definition that the kernels are compared with."""
    n, d = X.shape
    K, kind, sparse = W.shape[1], Z.dtype, hasattr(X, "indptr")
    weights, bias, total = W.astype(kind), b.astype(kind), 0.0
    whole = sparse and n * K < 2**22
    for part in blocks(n, n if whole else ON_DEVICE if isinstance(X, DeviceRows) else block_size(d)):
        own = terms.at(part)
        rows = X if sparse and part == slice(0, n) else X[part]
        rows = rows if rows.dtype == kind else rows.astype(kind)
        z = np.asarray(rows @ weights) + bias
        if mode == CURVE:
            direction, z = z.astype(np.float64), Z[part]
        else:
            if own.offset is not None:
                z = (z + own.offset).astype(kind)
            if D is not None:
                D[part] = z - Z[part]
            Z[part] = z
            if mode == PREDICT:
                continue
        scale = own.weights()
        value, slope, curve = own.point(z)
        if mode == CURVE:
            slope = terms.loss.curved(curve, direction)
        total += float(np.sum(np.where(scale != 0, scale * value, 0.0)))
        slope = slope * scale[:, None]
        G += np.asarray(rows.T @ slope.astype(kind))
        gb += slope.sum(0)
    return total


def numbers(terms: RowLoss) -> ctypes.Array[ctypes.c_double]:
    """The loss's own numbers as C takes them."""
    return (ctypes.c_double * 3)(*terms.loss.abc())
