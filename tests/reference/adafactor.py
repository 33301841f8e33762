"""Adafactor, its factored moment summed entry by entry so that no axis can be confused."""

import math

import numpy as np

from tests.reference.age import age


def adafactor(state, p, g, *, lr, beta2_decay, eps, d, weight_decay, momentum, relative_step, scale_parameter, form):
    t = age(state)
    new = t**beta2_decay
    root = _torch_root(state, g, new, eps[0]) if form == "torch" else _paper_root(state, g, new, eps[0])
    u = g / root
    u = u / max(1.0, _rms(u) / d)
    alpha = min(lr, 1 / math.sqrt(t)) if relative_step else lr
    if scale_parameter:
        alpha = alpha * max(eps[1], _rms(p))
    u = alpha * u
    if momentum is not None:
        u = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * u
    return p - (lr if form == "torch" else alpha) * weight_decay * p - u


def _rms(x):
    return math.sqrt(sum(value**2 for value in x.ravel()) / x.size)


def _paper_root(state, g, new, eps):
    """√E[g²] with ε added to g². Of more than two dimensions the two largest are factored."""
    s = g**2 + eps
    if g.ndim < 2:
        state["v"] = (1 - new) * state.get("v", 0.0) + new * s
        return np.sqrt(state["v"])
    first, second = sorted(sorted(range(g.ndim), key=lambda dim: -g.shape[dim])[:2])
    s = np.moveaxis(s, (first, second), (-2, -1))
    rows, columns = _factors(state, s, new)
    root = np.empty_like(s)
    for batch in np.ndindex(s.shape[:-2]):
        mean = sum(rows[batch]) / s.shape[-2]
        for i, j in np.ndindex(s.shape[-2:]):
            root[(*batch, i, j)] = math.sqrt(rows[batch][i] * columns[batch][j] / mean)
    return np.moveaxis(root, (-2, -1), (first, second))


def _torch_root(state, g, new, eps):
    """√E[g²] with ε as a floor of the mean of rows and of the root; the last two dimensions are factored."""
    s = g**2
    if g.ndim < 2:
        state["v"] = (1 - new) * state.get("v", 0.0) + new * s
        return np.sqrt(np.maximum(state["v"], eps**2))
    rows, columns = _factors(state, s, new)
    root = np.empty_like(s)
    for batch in np.ndindex(s.shape[:-2]):
        mean = max(sum(rows[batch]) / s.shape[-2], eps)
        for i, j in np.ndindex(s.shape[-2:]):
            root[(*batch, i, j)] = math.sqrt(max(rows[batch][i] * columns[batch][j] / mean, eps**2))
    return root


def _factors(state, s, new):
    """Averages of the row means and column means of each matrix in the last two dimensions."""
    n, m = s.shape[-2:]
    rows, columns = np.zeros(s.shape[:-1]), np.zeros((*s.shape[:-2], m))
    for batch in np.ndindex(s.shape[:-2]):
        for i, j in np.ndindex(n, m):
            rows[batch][i] += s[(*batch, i, j)] / m
            columns[batch][j] += s[(*batch, i, j)] / n
    state["rows"] = (1 - new) * state.get("rows", 0.0) + new * rows
    state["columns"] = (1 - new) * state.get("columns", 0.0) + new * columns
    return state["rows"], state["columns"]
