"""Prodigy, D-Adaptation and the DoG family on one vector: several tensors are their concatenation."""

import math

import numpy as np

from tests.reference.age import age


def _correction(betas, t, wanted):
    return math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t) if wanted else 1.0


def prodigy(
    state,
    p,
    g,
    *,
    lr,
    betas,
    beta3,
    eps,
    weight_decay,
    decoupled_weight_decay,
    use_bias_correction,
    safeguard_warmup,
    d0,
    d_coef,
    growth_rate,
    slice_p,
):
    t = age(state)
    if not decoupled_weight_decay:
        g = g + weight_decay * p
    beta3 = math.sqrt(betas[1]) if beta3 is None else beta3
    d, d_max = state.get("d", d0), state.get("d_max", d0)
    x0 = state.setdefault("x0", p)
    dlr = d * lr * _correction(betas, t, use_bias_correction)
    some = (slice(None, None, slice_p),)
    ahead = np.sum(g.ravel()[some] * (x0 - p).ravel()[some])
    r = state["r"] = beta3 * state.get("r", 0.0) + d / d0 * dlr * ahead
    s = state["s"] = beta3 * state.get("s", 0.0) + d / d0 * (d if safeguard_warmup else dlr) * g
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * d * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * d**2 * g**2
    length = np.abs(s.ravel()[some]).sum()
    if length == 0:
        return p
    d_hat = d_coef * r / length
    new = max(d, d_hat) if d == d0 else d
    d_max = state["d_max"] = max(d_max, d_hat)
    new = state["d"] = min(d_max, new * (math.inf if growth_rate is None else growth_rate))
    decay = weight_decay * dlr * p if decoupled_weight_decay else 0.0
    return p - decay - dlr * m / (np.sqrt(v) + new * eps)


def dadapt_adam(
    state, p, g, *, lr, betas, eps, weight_decay, decoupled_weight_decay, use_bias_correction, d0, growth_rate
):
    t = age(state)
    if not decoupled_weight_decay:
        g = g + weight_decay * p
    d, v = state.get("d", d0), state.get("v", np.zeros_like(p))
    s, root = state.get("s", np.zeros_like(p)), math.sqrt(betas[1])
    dlr = d * lr * _correction(betas, t, use_bias_correction)
    along = dlr * np.sum(g * s / (np.sqrt(v) + eps))
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * dlr * g
    v = state["v"] = betas[1] * v + (1 - betas[1]) * g**2
    s = state["s"] = root * s + (1 - root) * dlr * g
    r = state["r"] = root * state.get("r", 0.0) + (1 - root) * along
    length = np.abs(s).sum()
    if length == 0:
        return p
    d_hat = r / ((1 - root) * length)
    state["d"] = max(d, min(d_hat, d * (math.inf if growth_rate is None else growth_rate)))
    decay = weight_decay * dlr * p if decoupled_weight_decay else 0.0
    return p - decay - m / (np.sqrt(v) + eps)


def dadapt_sgd(state, p, g, *, lr, momentum, weight_decay, d0, growth_rate):
    g = g + weight_decay * p
    x0, d, s = state.setdefault("x0", p), state.get("d", d0), state.get("s", np.zeros_like(p))
    if "norm" not in state:
        if not g.any():
            return p
        state["norm"] = math.sqrt(np.sum(g**2))
    dlr = d * lr / state["norm"]
    r = state["r"] = state.get("r", 0.0) + dlr * np.sum(g * s)
    s = state["s"] = s + dlr * g
    length = math.sqrt(np.sum(s**2))
    if length > 0:
        state["d"] = max(d, min(2 * r / length, d * (math.inf if growth_rate is None else growth_rate)))
    return momentum * p + (1 - momentum) * (x0 - s)


def dog(state, p, g, *, lr, reps_rel, weight_decay, eps, gamma):
    t = age(state)
    g = g + weight_decay * p
    if t == 1:
        state["x0"], state["r"], state["G"] = p, reps_rel * (1 + math.sqrt(np.sum(p**2))), eps
    state["r"] = max(state["r"], math.sqrt(np.sum((p - state["x0"]) ** 2)))
    state["G"] += np.sum(g**2)
    p = p - lr * state["r"] / math.sqrt(state["G"]) * g
    w = (1 + gamma) / (t + gamma)
    state["average"] = (1 - w) * state.get("average", 0.0) + w * p
    return p


def dowg(state, p, g, *, lr, d0, weight_decay, eps):
    g = g + weight_decay * p
    x0 = state.setdefault("x0", p)
    r2 = state["r2"] = max(state.get("r2", d0**2), np.sum((p - x0) ** 2))
    v = state["V"] = state.get("V", 0.0) + r2 * np.sum(g**2)
    return p - lr * r2 / (math.sqrt(v) + eps) * g
