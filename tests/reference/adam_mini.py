"""Adam-mini, block after block."""

import numpy as np

from tests.reference.age import age


def adam_mini(state, p, g, *, lr, betas, eps, weight_decay, heads, bias=False):
    """Three dimensions are a stack of matrices; ``bias`` is what the layer tells."""
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * _means(g**2, heads, bias)
    u = m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p - lr * (u + (weight_decay * p if g.ndim > 1 else 0.0))


def _means(square, heads, bias):
    """At every entry the mean over its block."""
    if bias:
        return square
    if square.ndim < 2:
        return np.full_like(square, square.mean())
    if square.ndim == 3:
        return np.stack([_means(matrix, heads, bias) for matrix in square])
    blocks = np.array_split(square, square.shape[0] if heads is None else heads)
    return np.concatenate([np.full_like(block, block.mean()) for block in blocks])
