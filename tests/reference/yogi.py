"""Yogi."""

import numpy as np

from tests.reference.age import age


def yogi(state, p, g, *, lr, betas, eps, weight_decay, initial_accumulator_value):
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state.get("v", initial_accumulator_value)
    v = state["v"] = np.where(v > g**2, v - (1 - betas[1]) * g**2, v + (1 - betas[1]) * g**2)
    u = m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p - lr * (u + weight_decay * p)
