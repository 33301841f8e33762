"""Adai, of one tensor that is all there is."""

import numpy as np


def adai(state, p, g, *, lr, betas, eps, weight_decay, dampening, decoupled_weight_decay):
    beta0, beta2 = betas
    if not decoupled_weight_decay:
        g = g + weight_decay * p
    v = state["v"] = beta2 * state.get("v", 0.0) + (1 - beta2) * g**2
    beta1 = np.clip(1 - beta0 * (v / np.mean(v)) ** (1 / (3 - 2 * dampening)), 0, 1 - eps)
    m = state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) ** dampening * g
    product = state["product"] = state.get("product", 1.0) * beta1
    p = p - lr * weight_decay * p if decoupled_weight_decay else p
    return p - lr * beta0 ** (1 - dampening) * m / (1 - product)
