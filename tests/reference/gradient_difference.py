"""Methods that act on the change of the gradient."""

import numpy as np

from tests.reference.age import age


def diffgrad(state, p, g, *, lr, betas, eps, weight_decay):
    g = g + weight_decay * p
    t = age(state)
    friction = 1 / (1 + np.exp(-np.abs(state.get("last", 0.0) - g)))
    state["last"] = g
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    size = lr * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
    return p - size * m * friction / (np.sqrt(v) + eps)


def adan(state, p, g, *, lr, betas, eps, weight_decay, no_prox):
    t = age(state)
    change = g - state.get("last", g)
    state["last"] = g
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    d = state["d"] = betas[1] * state.get("d", 0.0) + (1 - betas[1]) * change
    n = state["n"] = betas[2] * state.get("n", 0.0) + (1 - betas[2]) * (g + betas[1] * change) ** 2
    divisor = np.sqrt(n / (1 - betas[2] ** t)) + eps
    step = lr * (m / (1 - betas[0] ** t) + betas[1] * d / (1 - betas[1] ** t)) / divisor
    return p * (1 - lr * weight_decay) - step if no_prox else (p - step) / (1 + lr * weight_decay)


def mars(state, p, g, *, lr, betas, eps, weight_decay, gamma, amsgrad, form):
    t = age(state)
    last = state.get("last", g if form == "timm" else 0.0)
    state["last"] = g
    c = g + gamma * betas[0] / (1 - betas[0]) * (g - last)
    norm = np.linalg.norm(np.ravel(c))
    if norm > 1:
        c = c / norm
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * c
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * c**2
    if amsgrad:
        v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
    u = (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p - lr * (u + weight_decay * p)
