"""Methods that hold back while the second moment is young."""

import numpy as np

from tests.reference.age import age


def rectification(t, beta):
    """r, or None where ρ is at most 5."""
    limit = 2 / (1 - beta) - 1
    rho = limit - 2 * t * beta**t / (1 - beta**t)
    if rho <= 5:
        return None
    return np.sqrt((rho - 4) / (limit - 4) * (rho - 2) / (limit - 2) * limit / rho)


def radam(state, p, g, *, lr, betas, eps, weight_decay, decoupled_weight_decay, degenerated_to_sgd):
    if not decoupled_weight_decay:
        g = g + weight_decay * p
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    u = _rectified(t, m / (1 - betas[0] ** t), v, betas[1], eps, degenerated_to_sgd)
    return (p * (1 - lr * weight_decay) if decoupled_weight_decay else p) - lr * u


def _rectified(t, momentum, v, beta, eps, sgd=True):
    r = rectification(t, beta)
    if r is None:
        return momentum if sgd else 0 * momentum
    return momentum * r * np.sqrt(1 - beta**t) / (np.sqrt(v) + eps)


def rectified_adabelief(state, p, g, *, lr, betas, eps, weight_decay, rectify):
    assert rectify
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    s = state["s"] = betas[1] * state.get("s", 0.0) + (1 - betas[1]) * (g - m) ** 2 + eps
    return p * (1 - lr * weight_decay) - lr * _rectified(t, m / (1 - betas[0] ** t), s, betas[1], eps)


def adopt(state, p, g, *, lr, betas, eps, weight_decay, decoupled_weight_decay):
    if not decoupled_weight_decay:
        g = g + weight_decay * p
    moved = age(state) - 1
    if moved == 0:
        state["v"] = g**2
        return p
    bound = moved**0.25
    n = np.clip(g / np.maximum(np.sqrt(state["v"]), eps), -bound, bound)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * n
    state["v"] = betas[1] * state["v"] + (1 - betas[1]) * g**2
    return (p * (1 - lr * weight_decay) if decoupled_weight_decay else p) - lr * m
