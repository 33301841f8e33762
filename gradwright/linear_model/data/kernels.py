"""Passes over rows of X: compiled where that pays and a compiler is there, else numpy in blocks of rows."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import compiled
from gradwright.linear_model.data.compiled import address, threads
from gradwright.linear_model.data.device_rows import DeviceRows
from gradwright.linear_model.data.program import program
from gradwright.linear_model.data.row_blocks import block_size, blocks
from gradwright.linear_model.losses import Loss

EVALUATE, CURVE, PREDICT = 0, 1, 2

ON_DEVICE = 2**18
"""Rows of a block where a device computes their products."""

FOLDER = Path(__file__).parent / "cpp"

LINE = ("along", "weights")
"""Passes over predictions alone; one library holds both."""


@cache
def _function(data: str, compute: str, loss: type[Loss], part: str) -> Any:
    # one library of each kind, so that each compiles in a second or two
    kind = "line" if part in LINE else part.split("_")[0]
    types = f"using T = {data};\nusing A = {compute};\n"
    if kind == "sparse":
        types += f"using INDEX = {'int32_t' if part == 'sparse_32' else 'int64_t'};\n"
    library = compiled.load(program(FOLDER / f"{kind}.cpp", types=types, loss=loss.header()))
    if library is None:
        return None
    run = getattr(library, part if part in LINE else f"{kind}_pass")
    run.restype = None if part in LINE else ctypes.c_double
    return run


def function(part: str, work: float, data: np.dtype, compute: np.dtype, loss: Loss) -> Any:
    """One compiled pass for one loss, or None where numpy is the choice."""
    if compiled.chosen() == "plain" or (compiled.chosen() == "auto" and work < compiled.WORTH_COMPILING):
        return None
    return _function(compiled.C_NAMES[np.dtype(data)], compiled.C_NAMES[np.dtype(compute)], type(loss), part)


def _numbers(loss: Loss) -> Any:
    return (ctypes.c_double * 3)(*loss.abc())


def rows_pass(mode, X, loss, W, b, y, s, offset, u, Z, D, G, gb) -> float:
    """One pass over the rows of X (C-ordered or CSR); adds into G (d, K) and gb (K,), answers the sum of losses."""
    n, d = X.shape
    K = W.shape[1]
    sparse = hasattr(X, "indptr")
    work = float(X.nnz if sparse else n * d) * K
    data = X.data.dtype if sparse else X.dtype
    if isinstance(X, DeviceRows):
        return _plain_pass(mode, X, sparse, loss, W, b, y, s, offset, u, Z, D, G, gb)
    run = None
    part = ("sparse_32" if X.indices.dtype == np.int32 else "sparse_64") if sparse else "dense"
    if sparse or X.flags.c_contiguous or (X.strides[1] == X.itemsize and X.strides[0] >= d * X.itemsize):
        run = function(part, work, data, Z.dtype, loss)
    if run is None:
        return _plain_pass(mode, X, sparse, loss, W, b, y, s, offset, u, Z, D, G, gb)
    tail = (
        address(y),
        address(s),
        address(offset),
        address(u),
        _numbers(loss),
        address(Z),
        address(D),
        address(G),
        address(gb),
        threads(work),
    )
    bias = np.ascontiguousarray(b, Z.dtype)
    if sparse:
        padded = 1 if K == 1 else -(-K // 8) * 8
        weights = np.zeros((d, padded), Z.dtype)
        weights[:, :K] = W
        index = X.indices.dtype
        ends = X.indptr if X.indptr.dtype == index else X.indptr.astype(index)
        place = (
            address(X.data),
            address(X.indices),
            address(ends),
            ctypes.c_int64(n),
            ctypes.c_int64(d),
        )
        return run(mode, *place, address(weights), address(bias), K, padded, *tail)
    lanes = 64 // Z.itemsize
    weights = np.zeros((K, -(-d // lanes) * lanes), Z.dtype)
    weights[:, :d] = W.T
    stride = X.strides[0] // X.itemsize
    place = (address(X), ctypes.c_int64(n), ctypes.c_int64(d), ctypes.c_int64(stride))
    return run(mode, *place, address(weights), address(bias), K, *tail)


def _plain_pass(mode, X, sparse, loss, W, b, y, s, offset, u, Z, D, G, gb) -> float:
    n, d = X.shape
    K = W.shape[1]
    kind = Z.dtype
    weights, bias, total = W.astype(kind), b.astype(kind), 0.0
    whole = sparse and n * K < 2**22
    for part in blocks(n, n if whole else ON_DEVICE if isinstance(X, DeviceRows) else block_size(d)):
        rows = X if sparse and part == slice(0, n) else X[part]
        rows = rows if rows.dtype == kind else rows.astype(kind)
        z = np.asarray(rows @ weights) + bias
        if mode == CURVE:
            direction, z = z.astype(np.float64), Z[part]
        else:
            if offset is not None:
                z = (z + offset[part]).astype(kind)
            if D is not None:
                D[part] = z - Z[part]
            Z[part] = z
            if mode == PREDICT:
                continue
        scale = np.ones(len(z)) if s is None else s[part]
        value, slope, curve = loss.rows(z, y[part], None if u is None else u[part])
        if mode == CURVE:
            slope = loss.curved(curve, direction)
        total += float(np.sum(np.where(scale != 0, scale * value, 0.0)))
        slope = slope * scale[:, None]
        G += np.asarray(rows.T @ slope.astype(kind))
        gb += slope.sum(0)
    return total


def weights(
    loss: Loss, Z: ndarray, y: ndarray, s: ndarray | None, u: ndarray | None, scale: float, whole: int = 0
) -> ndarray:
    """Second derivatives of each row's loss by its predictions, times ``scale`` sᵢ, in double.

    ``whole`` says of how many rows these are a block: that decides whether a kernel pays.

    Returns:
        shape (1, m), or (K (K + 1) / 2, m) for a softmax: the entries (k, l) with k ≥ l, row by row.
    """
    n, K = Z.shape
    pairs = K * (K + 1) // 2
    run = function("weights", 20.0 * max(n, whole) * K, np.dtype(np.float32), Z.dtype, loss)
    if run is not None and Z.flags.c_contiguous:
        out = np.empty((pairs, n))
        place = (
            ctypes.c_int64(n),
            K,
            address(Z),
            address(y),
            address(s),
            address(u),
            _numbers(loss),
        )
        run(*place, ctypes.c_double(scale), address(out), threads(20.0 * n * K))
        return out
    _, _, curve = loss.rows(Z, y, u)
    return loss.second(curve, np.full(n, scale) if s is None else s * scale)


def along(loss, Z, D, step, y, s, u) -> tuple[float, float, float]:
    """Change of the loss from Z to Z + step D, and its slope and curvature there along D, without X."""
    n, K = Z.shape
    run = function("along", 20.0 * n * K, np.dtype(np.float32), Z.dtype, loss)
    if run is not None:
        out = np.zeros(3)
        place = (ctypes.c_int64(n), K, address(Z), address(D), ctypes.c_double(step))
        run(
            *place,
            address(y),
            address(s),
            address(u),
            _numbers(loss),
            address(out),
            threads(20.0 * n * K),
        )
        return tuple(out)
    change = slope = curve = 0.0
    for part in blocks(n, 16384):
        start, d = Z[part].astype(np.float64), D[part].astype(np.float64)
        multiplier = None if u is None else u[part]
        scale = np.ones(len(d)) if s is None else s[part]
        before, _, _ = loss.rows(start, y[part], multiplier)
        after, g, h = loss.rows(start + step * d, y[part], multiplier)
        with np.errstate(invalid="ignore"):
            change += float(np.sum(np.where(scale != 0, scale * (after - before), 0.0)))
        slope += float(np.sum(scale[:, None] * g * d))
        curve += float(np.sum(scale[:, None] * loss.curved(h, d) * d))
    return change, slope, curve
