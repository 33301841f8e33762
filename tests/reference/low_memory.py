"""SM3, Amos, SMMF and AdamW with reduced moments, slice by slice and with their state in the open."""

import math

import numpy as np

from tests.reference.age import age


def sm3(state, p, g, *, lr, momentum, eps, weight_decay, form):
    """The accumulators are a dictionary: (axis, index) -> number. A single number has one slice, itself."""
    slices = state.setdefault("slices", {})
    bound = np.zeros_like(g)
    for at in np.ndindex(g.shape):
        cover = list(enumerate(at)) or [(0, 0)]
        if form == "I":
            for key in cover:
                members = [g[b] ** 2 for b in np.ndindex(g.shape) if (list(enumerate(b)) or [(0, 0)])[key[0]] == key]
                slices[key, "next"] = slices.get(key, 0.0) + max(members)
            bound[at] = min(slices[key, "next"] for key in cover)
        else:
            bound[at] = min(slices.get(key, 0.0) for key in cover) + g[at] ** 2
            for key in cover:
                slices[key, "next"] = max(slices.get((key, "next"), 0.0), bound[at])
    for key, _ in [key for key in slices if key[1] == "next"]:
        slices[key] = slices.pop((key, "next"))
    u = np.where(bound > 0, g / np.sqrt(np.where(bound > 0, bound + eps, 1.0)), 0.0)
    if momentum is not None:
        u = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * u
    return p * (1 - lr * weight_decay) - lr * u


def amos(state, p, g, *, lr, beta, eta, momentum, clip, extra_l2, c_coef, d_coef, eps):
    """Slots and η of bare tensors: 3-d ones are stacks of matrices, 4-d ones convolutions."""
    t = age(state)
    if clip is not None:
        g = np.clip(g, -clip, clip)
    reduced = {0: (), 1: (0,), 2: (1,), 3: (2,), 4: (1, 2, 3)}[g.ndim]
    if eta is None:
        fan_in = math.prod(g.shape[axis] for axis in reduced)
        eta = {0: 0.5, 1: 0.5, 4: math.sqrt(2 / fan_in)}.get(g.ndim, math.sqrt(1 / fan_in))
    square = np.mean(g**2, axis=reduced, keepdims=True) if reduced else g**2
    v = state["v"] = beta * state.get("v", 0.0) + (1 - beta) * square
    r = (1 - beta**t) / np.maximum(v, eps)
    b = state.get("b", 0.0)
    decay = lr**2 * r * square / np.sqrt(1 + c_coef * math.sqrt(lr) * b)
    slow = 1 + d_coef * math.sqrt(lr * eta) * b
    move = -((decay / 2 + extra_l2) * p + lr * eta * np.sqrt(r) * g) / slow
    state["b"] = b + decay * (1 + b)
    if momentum is not None:
        move = state["move"] = momentum * state.get("move", 0.0) + (1 - momentum) * move
    return p + move


def smmf(state, p, g, *, lr, momentum, eps, weight_decay, beta2_decay, growth_rate, signs):
    t = age(state)
    q = max(d for d in range(1, g.size + 1) if g.size % d == 0 and d * d <= g.size)
    flat = g.reshape(g.size // q, q)
    first, second = momentum * growth_rate ** (t - 1), 1 - t**beta2_decay
    m = first * state.get("sign", 0.0) * _product(state, "m", flat) + (1 - first) * flat
    v = second * _product(state, "v", flat) + (1 - second) * flat**2
    state["sign"] = np.sign(m) if signs == "ternary" else np.where(m > 0, 1.0, -1.0)
    for name, matrix in (("m", abs(m)), ("v", v)):
        rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)
        state[name] = rows, columns / columns.sum() if columns.sum() > 0 else columns
    return p * (1 - lr * weight_decay) - lr * (m / (np.sqrt(v) + eps)).reshape(g.shape)


def _product(state, name, like):
    return np.outer(*state[name]) if name in state else np.zeros_like(like)


def thrifty_adamw(state, p, g, *, lr, betas, eps, weight_decay, amsgrad, moment):
    """Of bare tensors: a vector's rows are its entries, those of a stack the rows of its matrices."""
    assert not amsgrad
    t = age(state)
    if moment == "factored" and g.ndim > 1:
        square = None
    elif moment == "tensor":
        square = np.mean(g**2)
    else:
        square = {0: lambda s: s, 1: lambda s: s}.get(g.ndim, lambda s: _row_mean(s, 2 if s.ndim == 3 else 1))(g**2)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    if square is None:
        v = factored(state, g, betas[1])
    else:
        v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * square
    u = m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p * (1 - lr * weight_decay) - lr * u


def factored(state, g, beta):
    """The square of a tensor of two or more dimensions from the means of its rows and of its columns."""
    rows = g.ndim - 1 if g.ndim == 3 else 1
    s = np.reshape(g**2, (np.prod(g.shape[:rows], dtype=int), -1))
    for name, axis in (("row", 1), ("column", 0)):
        state[name] = beta * state.get(name, 0.0) + (1 - beta) * s.mean(axis)
    total = state["row"].mean()
    return np.zeros_like(g) if total == 0 else np.reshape(np.outer(state["row"], state["column"]) / total, g.shape)


def _row_mean(s, leading):
    return np.mean(s, axis=tuple(range(leading, s.ndim)), keepdims=True)
