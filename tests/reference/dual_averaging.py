"""MADGRAD and FTRL-Proximal."""

import numpy as np

from tests.reference.age import age


def madgrad(state, p, g, *, lr, momentum, weight_decay, eps, decoupled_weight_decay):
    k = age(state) - 1
    origin, rate = state.setdefault("origin", p), lr + eps if lr else 0.0
    if not decoupled_weight_decay:
        g = g + weight_decay * p
    v = state["v"] = state.get("v", 0.0) + rate * np.sqrt(k + 1) * g**2
    s = state["s"] = state.get("s", 0.0) + rate * np.sqrt(k + 1) * g
    new = momentum * p + (1 - momentum) * (origin - s / (np.cbrt(v) + eps))
    return new - rate * weight_decay * p if decoupled_weight_decay else new


def ftrl(state, p, g, *, lr, beta, l1, l2, initial_accumulator_value):
    """As a schedule leaves it: each gradient with the lr that it came with, all else as in the paper."""
    n = state.get("n", np.full_like(g, initial_accumulator_value))
    if "z" not in state:
        state["z"] = -((beta + np.sqrt(n)) + lr * l2) * p - lr * l1 * np.sign(p)
    z = state["z"] = state["z"] + lr * g - (np.sqrt(n + g**2) - np.sqrt(n)) * p
    n = state["n"] = n + g**2
    with np.errstate(divide="ignore", invalid="ignore"):
        best = (np.sign(z) * lr * l1 - z) / (beta + np.sqrt(n) + lr * l2)
    return np.where(np.abs(z) <= lr * l1, 0.0, best)


def mirror_madgrad(state, p, g, *, lr, momentum, weight_decay, eps, decoupled_weight_decay):
    k, rate = age(state) - 1, lr + eps if lr else 0.0
    z = state.get("z", p)
    if decoupled_weight_decay:
        z = z * (1 - rate * weight_decay)
    else:
        g = g + weight_decay * p
    v = state["v"] = state.get("v", 0.0) * np.sqrt(k / (k + 1)) + g**2
    z = state["z"] = z - rate * np.cbrt(k + 1) * g / (np.cbrt(v) + eps)
    return momentum * p + (1 - momentum) * z
