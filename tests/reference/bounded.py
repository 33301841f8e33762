"""StableAdamW, AdaBound and Padam, as their authors' code computes them."""

import numpy as np

from tests.reference.age import age


def _running(state, key, beta, x):
    state[key] = beta * state.get(key, 0.0) + (1 - beta) * x
    return state[key]


def stable_adamw(state, p, g, *, lr, betas, eps, weight_decay):
    """With β that make the averages corrected as they run, as optimi has them."""
    t = age(state)
    hats = [beta * (1 - beta ** (t - 1)) / (1 - beta**t) for beta in betas]
    m, v = _running(state, "m", hats[0], g), _running(state, "v", hats[1], g**2)
    r = np.sqrt(np.mean(g**2 / np.maximum(v, eps**2)))
    a = lr / max(1.0, r)
    return p * (1 - a * weight_decay) - a * m / (np.sqrt(v) + eps)


def adabound(state, p, g, *, lr, betas, eps, weight_decay, final_ratio, gamma, amsgrad):
    g = g + weight_decay * p
    t = age(state)
    m, v = _running(state, "m", betas[0], g), _running(state, "v", betas[1], g**2)
    if amsgrad:
        v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
    rate = lr * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t) / (np.sqrt(v) + eps)
    final = final_ratio * lr
    return p - np.clip(rate, final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))) * m


def padam(state, p, g, *, lr, betas, eps, weight_decay, partial, amsgrad):
    g = g + weight_decay * p
    t = age(state)
    m, v = _running(state, "m", betas[0], g), _running(state, "v", betas[1], g**2)
    if amsgrad:
        v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
    size = lr * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
    return p - size * m / (np.sqrt(v) + eps) ** (2 * partial)


def grams(state, p, g, *, lr, betas, eps, weight_decay):
    t = age(state)
    m, v = _running(state, "m", betas[0], g), _running(state, "v", betas[1], g**2)
    size = lr * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t) * np.abs(m) / (np.sqrt(v) + eps)
    return p * (1 - lr * weight_decay) - size * np.sign(g)


def ano(state, p, g, *, lr, betas, eps, weight_decay):
    t = age(state)
    m, before = _running(state, "m", betas[0], g), state.get("v", np.zeros_like(g))
    v = state["v"] = betas[1] * before + (1 - betas[1]) * np.sign(g**2 - before) * g**2
    return p * (1 - lr * weight_decay) - lr * np.abs(g) * np.sign(m) / np.sqrt(v / (1 - betas[1] ** t) + eps)
