"""The Hessian of a softmax loss over rows, without its symmetric halves.

    H_kl = Σᵢ wᵢ_kl xᵢ xᵢᵀ,     w_kl = sᵢ (pₖ [k = l] − pₖ pₗ)

Both xᵢ xᵢᵀ and wᵢ are symmetric, so one product of the distinct entries of the one with those of the other does with a
quarter of the multiplications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

if TYPE_CHECKING:
    from .objective import Objective

NARROW = 8192
"""Products of two columns up to which they are formed for whole blocks of rows."""


def softmax_hessian(objective: Objective, dtype: type) -> ndarray:
    """Σᵢ over rows here, (K p, K p), classes outermost; products in ``dtype``, sums of blocks in double."""
    p, K = objective.p, objective.K
    k, l = np.tril_indices(K)  # noqa: E741 - the letters of the equation
    pairs = p * (p + 1) // 2
    narrow = pairs <= NARROW
    sums = np.zeros((pairs, len(k)) if narrow else (len(k), p, p))
    for at, rows in objective.data.dense_blocks(max(256, 2**18 // pairs) if narrow else None):
        w = np.ascontiguousarray(_weights(objective, at, k, l), dtype)
        x = np.ascontiguousarray(objective.standard(rows, dtype).T)
        if narrow:
            sums += _products(x) @ w
        else:
            for pair in range(len(k)):
                sums[pair] += (x * w[:, pair]) @ x.T
    sums /= objective.rows
    blocks = sums.T[:, _places(p)] if narrow else sums
    H = np.empty((K, p, K, p))
    for block, row, column in zip(blocks, k, l):
        H[row, :, column] = block
        H[column, :, row] = block
    return H.reshape(K * p, K * p)


def _weights(objective: Objective, at: slice, k: ndarray, l: ndarray) -> ndarray:  # noqa: E741
    """wᵢ_kl for k ≥ l, (rows, pairs), times the number of rows, so that float32 can hold them."""
    q = objective.curvatures(at).T * objective.rows
    s = objective.row_weights()[at] * objective.rows
    prob = q if objective.s is None else np.divide(q, s, out=np.zeros_like(q), where=s > 0)
    w = -q[k] * prob[l]
    w[k == l] += q
    return w.T


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
