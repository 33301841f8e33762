"""SinkGD and RACS, a matrix at a time: a kernel is out × the rest, three dimensions are a stack."""

import math

import numpy as np


def sinkgd(state, p, g, *, lr, weight_decay, iterations):
    return p - lr * (_each(_sinkhorn, g, iterations) + weight_decay * p)


def racs(state, p, g, *, lr, beta, eps, weight_decay, alpha, growth):
    held = state.setdefault("held", [{} for _ in range(g.shape[0] if g.ndim == 3 else 1)])
    u = _each(_scaled, g, beta, eps, held=held)
    last, now = state.get("length"), math.sqrt(np.sum(u**2))
    if last:
        u = u / (max(now / last, growth) / growth)
    state["length"] = math.sqrt(np.sum(u**2))
    return p - lr * (alpha * u + weight_decay * p)


def _each(function, g, *given, held=None):
    stack = g if g.ndim == 3 else g.reshape(1, g.shape[0], -1)
    own = [()] * len(stack) if held is None else [(one,) for one in held]
    return np.stack([function(x, *given, *mine) for x, mine in zip(stack, own)]).reshape(g.shape)


def _sinkhorn(x, iterations):
    n, m = x.shape
    for _ in range(iterations):
        x = np.array([math.sqrt(m) / math.sqrt(row @ row) * row for row in x])
        x = np.array([math.sqrt(n) / math.sqrt(column @ column) * column for column in x.T]).T
    return x


def _scaled(x, beta, eps, held):
    s = held["s"] = beta * held.get("s", 0.0) + (1 - beta) * np.mean(x**2, axis=1, keepdims=True)
    q = held["q"] = beta * held.get("q", 1.0) + (1 - beta) * np.mean(x**2, axis=0, keepdims=True)
    return x / np.sqrt(s + eps) / np.sqrt(q + eps)
