"""AdamW²: AdamW with a power iteration for the largest singular values."""

import math

import numpy as np

from tests.reference.adam import adam_direction


def adamw2(state, p, g, *, lr, betas, eps, weight_decay, tau, floor, iterations):
    u = adam_direction(state, g, betas, eps)
    if p.ndim < 2:
        return p - lr * (u + weight_decay * p)
    # 3-d tensors are stacks of matrices, others one matrix each
    shape = p.shape if p.ndim == 3 else (1, p.shape[0], p.size // p.shape[0])
    moved = np.empty(shape)
    for i, (weights, update) in enumerate(zip(p.reshape(shape), u.reshape(shape))):
        old = max(_largest(state, ("w", i), weights, iterations), floor * math.sqrt(max(weights.shape)))
        new = _largest(state, ("u", i), update, iterations)
        alpha = min(lr, tau * old / new) if new > 0 else lr
        moved[i] = weights - alpha * (update + weight_decay * weights)
    return moved.reshape(p.shape)


def _largest(state, key, matrix, iterations):
    """Power iteration from the vector of the last step, ten times as long at the first; at least the heaviest row."""
    if key not in state:
        iterations *= 10
    x = state.get(key, np.zeros(1))
    if not x.any():
        x = sum(math.sin(i**2) * row for i, row in enumerate(matrix, start=1))
    for _ in range(iterations):
        x = matrix.T @ (matrix @ x)
        x = x / np.linalg.norm(x) if x.any() else x
    state[key] = x
    return max(np.linalg.norm(matrix @ x), *(np.linalg.norm(row) for row in matrix), 0.0)
