"""GaLore, Fira, APOLLO and Flora, and what low_rank() makes of AdamW, of the first tensor of an optimizer."""

import math

import numpy as np

from tests.reference.age import age
from tests.reference.draws import key, normal


def galore(state, p, g, *, lr, betas, eps, weight_decay, rank, gap, scale):
    t = age(state)
    if _whole(g, rank):
        u = _adam(state, g, betas, eps)
    else:
        basis = _leading(state, g, rank, gap, t)
        u = scale * _up(_adam(state, _down(g, basis), betas, eps), basis, g)
    return _decayed(p - lr * _correction(t, betas) * u, lr, weight_decay)


def fira(state, p, g, *, lr, betas, eps, weight_decay, rank, gap, scale, growth):
    t = age(state)
    if _whole(g, rank):
        u = _adam(state, g, betas, eps)
    else:
        basis = _leading(state, g, rank, gap, t)
        x = _down(g, basis)
        r = _adam(state, x, betas, eps)
        rest = (g - scale * _up(x, basis, g)) * _ratio(r, x, "channel")
        u = scale * _up(r, basis, g) + _limited(state, rest, growth)
    return _decayed(p - lr * _correction(t, betas) * u, lr, weight_decay)


def apollo(state, p, g, *, lr, betas, eps, weight_decay, rank, gap, scale, scale_type, growth):
    t = age(state)
    if _whole(g, rank):
        u = _adam(state, g, betas, eps)
    else:
        x = _down(g, _random(g, rank, (t - 1) // gap))
        r = _adam(state, x, betas, eps)
        u = math.sqrt(scale) * _limited(state, g * _ratio(r, x, scale_type), growth)
    return _decayed(p - lr * _correction(t, betas) * u, lr, weight_decay)


def flora(state, p, g, *, lr, momentum, beta2_decay, eps, d, weight_decay, rank, gap, relative_step):
    """Of matrices alone."""
    t = age(state)
    new, s = t**beta2_decay, g**2 + eps[0]
    rows = state["rows"] = (1 - new) * state.get("rows", 0.0) + new * s.mean(1, keepdims=True)
    columns = state["columns"] = (1 - new) * state.get("columns", 0.0) + new * s.mean(0, keepdims=True)
    u = g / np.sqrt(rows * columns / rows.mean())
    if _whole(g, rank):
        u = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * u
    else:
        basis = _random(g, rank, (t - 1) // gap)
        held, divided = state.get("m", np.zeros_like(_down(g, basis))), u
        u = momentum * _up(held, basis, g) + (1 - momentum) * divided
        if t % gap == 0:
            newer = _random(g, rank, t // gap)
            held, basis = _down(_up(held, basis, g), newer), newer
        state["m"] = momentum * held + (1 - momentum) * _down(divided, basis)
    u = u / max(1.0, math.sqrt(np.mean(u**2)) / d)
    alpha = (min(lr, 1 / math.sqrt(t)) if relative_step else lr) * max(eps[1], math.sqrt(np.mean(p**2)))
    return p - alpha * (u + weight_decay * p)


def low_rank_adamw(state, p, g, *, lr, betas, eps, weight_decay, rank, gap, basis, form, share, growth, only, amsgrad):
    t = age(state)
    correction = 1 - betas[1] ** t

    def adam(x):
        m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * x
        v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * x**2
        return m / (1 - betas[0] ** t) / (np.sqrt(v / correction) + eps)

    if _whole(g, rank):
        u = adam(g)
    else:
        vectors = _leading(state, g, rank, gap, t) if basis == "svd" else _random(g, rank, (t - 1) // gap)
        x = _down(g, vectors)
        r = adam(x)
        if form == "project":
            u = share * _up(r, vectors, g)
        elif form == "residual":
            rest = (g - share * _up(x, vectors, g)) * _ratio(r, x, "channel")
            u = share * _up(r, vectors, g) + _limited(state, rest, growth)
        else:
            u = math.sqrt(share) * _limited(state, g * _ratio(r, x, form), growth)
    return p - lr * (u + weight_decay * p)


def _whole(g, rank):
    return g.ndim != 2 or min(g.shape) <= rank


def _adam(state, x, betas, eps):
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * x
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * x**2
    return m / (np.sqrt(v) + eps)


def _correction(t, betas):
    return math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)


def _decayed(p, lr, weight_decay):
    return p - lr * weight_decay * p


def _leading(state, g, rank, gap, t):
    """Eigenvectors of the smaller Gram matrix, each on the side of the one before it."""
    if (t - 1) % gap == 0:
        gram = g.T @ g if g.shape[0] >= g.shape[1] else g @ g.T
        vectors = np.linalg.eigh(gram)[1][:, ::-1][:, :rank].copy()
        for at in range(rank):
            one, old = vectors[:, at], state["basis"][:, at] if "basis" in state else None
            side = one[np.argmax(np.abs(one))] if old is None else one @ old
            vectors[:, at] = -one if side < 0 else one
        state["basis"] = vectors
    return state["basis"]


def _random(g, rank, turn):
    return normal(key(0, turn), (min(g.shape), rank)) / math.sqrt(rank)


def _down(g, basis):
    return g @ basis if g.shape[0] >= g.shape[1] else basis.T @ g


def _up(x, basis, g):
    return x @ basis.T if g.shape[0] >= g.shape[1] else basis @ x


def _ratio(r, x, form):
    """One number for each row or column of the longer side, or for all."""
    if form == "tensor":
        return np.linalg.norm(r) / np.linalg.norm(x)
    axis = 1 if r.shape[0] >= r.shape[1] else 0
    return np.linalg.norm(r, axis=axis, keepdims=True) / np.linalg.norm(x, axis=axis, keepdims=True)


def _limited(state, u, growth):
    last, now = state.get("length"), np.linalg.norm(u)
    if last:
        u = u / (max(now / last, growth) / growth)
    state["length"] = np.linalg.norm(u)
    return u
