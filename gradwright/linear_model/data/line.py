"""What predictions alone tell, without X: the loss along a line, and the weights of rows in a Hessian."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data.compiled import address, threads
from gradwright.linear_model.data.kernels import function, numbers
from gradwright.linear_model.data.row_blocks import blocks
from gradwright.linear_model.data.row_loss import RowLoss

WORK = 20.0
"""Multiplications that one prediction costs, about."""


def along(terms: RowLoss, Z: ndarray, D: ndarray, step: float) -> tuple[float, float, float]:
    """Change of the loss from Z to Z + step D, and its slope and curvature there along D."""
    n, K = Z.shape
    run = function("along", WORK * n * K, np.dtype(np.float32), Z.dtype, terms.loss)
    if run is not None:
        out = np.zeros(3)
        place = (ctypes.c_int64(n), K, address(Z), address(D), ctypes.c_double(step))
        given = (address(terms.y), address(terms.s), address(terms.u), numbers(terms))
        run(*place, *given, address(out), threads(WORK * n * K))
        return tuple(out)
    change = slope = curve = 0.0
    for part in blocks(n, 16384):
        own, start, d = terms.at(part), Z[part].astype(np.float64), D[part].astype(np.float64)
        scale = own.weights()
        before, _, _ = own.point(start)
        after, g, h = own.point(start + step * d)
        with np.errstate(invalid="ignore"):
            change += float(np.sum(np.where(scale != 0, scale * (after - before), 0.0)))
        slope += float(np.sum(scale[:, None] * g * d))
        curve += float(np.sum(scale[:, None] * terms.loss.curved(h, d) * d))
    return change, slope, curve


def weights(terms: RowLoss, Z: ndarray, scale: float, whole: int = 0) -> ndarray:
    """Second derivatives of each row's loss by its predictions, times ``scale`` sᵢ, in double.

    ``whole`` says of how many rows these are a block: that decides whether a kernel pays.

    Returns:
        shape (1, m), or (K (K + 1) / 2, m) for a softmax: the entries (k, l) with k ≥ l, row by row.
    """
    n, K = Z.shape
    run = function("weights", WORK * max(n, whole) * K, np.dtype(np.float32), Z.dtype, terms.loss)
    if run is not None and Z.flags.c_contiguous:
        out = np.empty((K * (K + 1) // 2, n))
        given = (address(terms.y), address(terms.s), address(terms.u), numbers(terms))
        run(
            ctypes.c_int64(n), K, address(Z), *given, ctypes.c_double(scale), address(out), threads(WORK * n * K)
        )  # fmt: skip
        return out
    _, _, curve = terms.point(Z)
    return terms.loss.second(curve, np.full(n, scale) if terms.s is None else terms.s * scale)
