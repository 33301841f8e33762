"""AdamP, SGDP and CAME."""

import numpy as np

from tests.reference.age import age


def _projected(p, g, u, delta, ratio, eps):
    """The step and the share of the decay, looked at in both views as the authors' code does."""
    if p.ndim < 2:
        return u, 1.0
    for view in ((p.shape[0], -1), (1, -1)):
        ps, gs, us = p.reshape(view), g.reshape(view), u.reshape(view)
        lengths = np.linalg.norm(ps, axis=1), np.linalg.norm(gs, axis=1)
        cosines = np.abs((ps * gs).sum(axis=1)) / np.maximum(lengths[0] * lengths[1], eps)
        if cosines.max() < delta / np.sqrt(ps.shape[1]):
            unit = ps / (lengths[0][:, None] + eps)
            return (us - unit * (unit * us).sum(axis=1, keepdims=True)).reshape(p.shape), ratio
    return u, 1.0


def adamp(state, p, g, *, lr, betas, eps, weight_decay, delta, wd_ratio, nesterov):
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    root = np.sqrt(v / (1 - betas[1] ** t)) + eps
    u = ((betas[0] * m + (1 - betas[0]) * g) if nesterov else m) / root
    u, share = _projected(p, g, u, delta, wd_ratio, eps)
    return p * (1 - lr * weight_decay * share) - lr / (1 - betas[0] ** t) * u


def sgdp(state, p, g, *, lr, momentum, weight_decay, delta, wd_ratio, nesterov, eps):
    m = state["m"] = momentum * state.get("m", 0.0) + g
    u, share = _projected(p, g, g + momentum * m if nesterov else m, delta, wd_ratio, eps)
    return p * (1 - lr * weight_decay * share / (1 - momentum)) - lr * u


def _factored(state, key, beta, s, correction=1.0):
    """An average of row and column means over the two largest dimensions, as the full tensor that it stands for."""
    rows, columns = sorted(sorted(range(s.ndim), key=lambda d: -s.shape[d])[:2])
    r = state[key + " r"] = beta * state.get(key + " r", 0.0) + (1 - beta) * s.mean(axis=columns, keepdims=True)
    c = state[key + " c"] = beta * state.get(key + " c", 0.0) + (1 - beta) * s.mean(axis=rows, keepdims=True)
    return r * c / r.mean(axis=rows, keepdims=True) / correction


def came(state, p, g, *, lr, betas, eps, clip_threshold, weight_decay, debias):
    t, s = age(state), g**2 + eps[0]
    if p.ndim < 2:
        v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * s
    else:
        v = _factored(state, "v", betas[1], s)
    u = g / np.sqrt(v)
    u = u / max(1.0, np.sqrt(np.mean(u**2)) / clip_threshold)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * u
    if p.ndim < 2:
        return p * (1 - lr * weight_decay) - lr * m
    unsteady = _factored(state, "s", betas[2], (u - m) ** 2 + eps[1], 1 - betas[2] ** t if debias else 1.0)
    return p * (1 - lr * weight_decay) - lr * m / np.sqrt(unsteady)
