"""Gram matrices of weighted rows, Σᵢ wᵢ x̃ᵢ x̃ᵢᵀ, for one weight of each row or several."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import blocks, gram_kernel, kernels
from gradwright.linear_model.objective.design import Design

NARROW = 8192
"""Products of two columns up to which numpy forms them for whole blocks of rows."""


def grams(design: Design, weights: Callable[[slice], ndarray], pairs: int, dtype: type) -> ndarray:
    """Σᵢ w x̃ᵢ x̃ᵢᵀ over rows here for each of several weights, (pairs, p, p): compiled, in numpy, or where X lies.

    ``weights`` is called with the place of rows and answers (pairs, m), in double; products are in ``dtype``, sums of
    blocks in double.
    """
    p, data = design.p, design.data
    if data.device:
        return _on_device(design, weights, pairs, dtype)
    work = 0.5 * data.n * p * p * pairs
    run = gram_kernel.chosen(data.dtype, dtype, p, work)
    if run is None:
        return _plain(design, weights, pairs, dtype)
    H, longest, shared = np.zeros((pairs, p, p)), 0.0, work >= gram_kernel.WORTH_THREADS
    # as many rows as leave what their weights take small beside X; sparse ones become dense, so that they are fewer
    for at, rows in data.dense_blocks(None if data.sparse else max(1024, 2**13 // pairs)):
        done = gram_kernel.add(run, rows, design.shift, design.inverse, weights(at), H, shared)
        longest = max(longest, done)
    design.found_longest(longest, dtype)
    return H + np.tril(H, -1).transpose(0, 2, 1)


def gram_of(design: Design, rows: ndarray, weight: ndarray) -> ndarray:
    """Σᵢ wᵢ x̃ᵢ x̃ᵢᵀ of some rows of X, (p, p)."""
    p = design.p
    work = 0.5 * len(rows) * p * p
    run = gram_kernel.chosen(rows.dtype, np.float64, p, work)
    if run is None:
        x = design.standard(rows)
        return x.T @ (x * weight[:, None])
    H = np.zeros((1, p, p))
    gram_kernel.add(run, rows, design.shift, design.inverse, weight[None], H, work >= gram_kernel.WORTH_THREADS)
    return H[0] + np.tril(H[0], -1).T


def _on_device(design: Design, weights: Callable[[slice], ndarray], pairs: int, dtype: type) -> ndarray:
    """``grams`` where the rows lie."""
    sums = np.zeros((pairs, design.p, design.p))
    for at, rows in design.data.slices():
        for part in blocks(len(rows), max(1024, kernels.ON_DEVICE // pairs)):
            w = weights(slice(at.start + part.start, at.start + part.stop))
            sums += rows[part].grams(design.shift, design.inverse, design.intercept, w, dtype)
    return sums


def _plain(design: Design, weights: Callable[[slice], ndarray], pairs: int, dtype: type) -> ndarray:
    """``grams`` by numpy.

    Where there are several weights and few columns, one product of the distinct entries of xᵢ xᵢᵀ with the weights does
    with half the multiplications.
    """
    p, several = design.p, design.p * (design.p + 1) // 2
    narrow = pairs > 1 and several <= NARROW
    sums = np.zeros((several, pairs) if narrow else (pairs, p, p))
    for at, rows in design.data.dense_blocks(max(256, 2**18 // several) if narrow else None):
        w, x = weights(at).astype(dtype), design.standard(rows, dtype)
        if narrow:
            sums += _products(np.ascontiguousarray(x.T)) @ w.T
        elif pairs == 1:
            x *= np.sqrt(w[0])[:, None]
            sums[0] += x.T @ x
        else:
            for pair in range(pairs):
                sums[pair] += (x.T * w[pair]) @ x
    return sums.T[:, _places(p)] if narrow else sums


def _products(x: ndarray) -> ndarray:
    """Products of two columns of every row, (p (p + 1) / 2, rows), for x (p, rows)."""
    p, n = x.shape
    out, low = np.empty((p * (p + 1) // 2, n), x.dtype), 0
    for j in range(p):
        np.multiply(x[: j + 1], x[j], out=out[low : low + j + 1])
        low += j + 1
    return out


def _places(p: int) -> ndarray:
    """Where the product of columns a and b stands in ``_products``, (p, p)."""
    a, b = np.indices((p, p))
    high, low = np.maximum(a, b), np.minimum(a, b)
    return high * (high + 1) // 2 + low
