"""Schedule-free AdamW with its three sequences kept apart: z steps, x averages, y is where gradients are taken."""

import numpy as np

from tests.reference.age import age


def schedule_free_adamw(state, p, g, *, lr, betas, eps, weight_decay, warmup_steps, r, weight_lr_power):
    t = age(state)
    z, x, y = state.get("z", p), state.get("x", p), p
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    u = g / (np.sqrt(v / (1 - betas[1] ** t)) + eps) + weight_decay * y
    eta = lr * min(1.0, t / warmup_steps) if warmup_steps else lr
    state["largest"] = max(state.get("largest", 0.0), eta)
    weight = t**r * state["largest"] ** weight_lr_power
    state["weights"] = state.get("weights", 0.0) + weight
    z = state["z"] = z - eta * u
    c = weight / state["weights"]
    x = state["x"] = (1 - c) * x + c * z
    return betas[0] * x + (1 - betas[0]) * z
