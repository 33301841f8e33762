"""Layer-wise rates: LAMB, and LARS in four forms. Vectors are excluded from decay and from the rate."""

import numpy as np

from tests.reference.adam import adam_direction


def norm(x):
    return np.sqrt(np.sum(x**2))


def lamb(state, p, g, *, lr, betas, eps, weight_decay, bias_correction, clip):
    u = adam_direction(state, g, betas, eps) if bias_correction else raw_direction(state, g, betas, eps)
    if p.ndim < 2:
        return p - lr * u
    u = u + weight_decay * p
    if norm(p) == 0 or norm(u) == 0:
        return p - lr * u
    length = norm(p) if clip is None else np.clip(norm(p), *clip)
    return p - lr * length / norm(u) * u


def raw_direction(state, g, betas, eps):
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    return m / (np.sqrt(v) + eps)


def lars(state, p, g, *, lr, momentum, weight_decay, trust_coefficient, nesterov, form):
    def remembered(x):
        m = state["m"] = momentum * state.get("m", 0.0) + x
        return momentum * m + x if nesterov else m

    decays = p.ndim > 1
    d = g + weight_decay * p if decays else g

    def rate(length):
        moves = decays and norm(p) > 0 and length > 0
        return trust_coefficient * norm(p) / length if moves else 1.0

    apart = rate(norm(g) + weight_decay * norm(p) if norm(g) > 0 else 0.0)
    if form == "paper":
        return p - remembered(lr * apart * d)
    if form == "simclr":
        return p - remembered(lr * rate(norm(d)) * d)
    if form == "timm":
        return p - lr * remembered(apart * d)
    u = remembered(d)
    return p - lr * rate(norm(u)) * u
