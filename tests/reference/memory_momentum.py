"""PNM, AdaGL and adaptive memory momentum, each with its buffers as the papers have them."""

import math

import numpy as np

from tests.reference.age import age


def pnm_direction(state, g, beta, beta0):
    """Two buffers, one for odd and one for even steps."""
    t = age(state)
    here, there = ("odd", "even") if t % 2 else ("even", "odd")
    m = state[here] = beta**2 * state.get(here, 0.0) + (1 - beta**2) * g
    return ((1 + beta0) * m - beta0 * state.get(there, 0.0)) / math.hypot(1 + beta0, beta0), t


def pnm(state, p, g, *, lr, momentum, beta0, weight_decay, decoupled_weight_decay):
    if not decoupled_weight_decay:
        g, weight_decay = g + weight_decay * p, 0.0
    u, _ = pnm_direction(state, g, momentum, beta0)
    return p * (1 - lr * weight_decay) - lr * u


def adapnm(state, p, g, *, lr, betas, beta0, eps, weight_decay, amsgrad, decoupled_weight_decay):
    if not decoupled_weight_decay:
        g, weight_decay = g + weight_decay * p, 0.0
    u, t = pnm_direction(state, g, betas[0], beta0)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    if amsgrad:
        v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
    root = np.sqrt(v) / math.sqrt(1 - betas[1] ** t) + eps
    return p * (1 - lr * weight_decay) - lr / (1 - betas[0] ** t) * u / root


def adagl(state, p, g, *, lr, betas, eps, weight_decay, alpha, history):
    """wⱼ as (−1)ʲ times a binomial coefficient."""
    t = age(state)
    past = state.setdefault("past", [])
    past.insert(0, g)
    weights = [math.prod((i - alpha) / (i + 1) for i in range(j)) for j in range(history + 1)]
    d = sum(w * old for w, old in zip(weights, past))
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * d
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * d**2
    before = past[1] if len(past) > 1 else 0.0
    c = 1.1 - 0.5 / (1 + abs(before - g))
    u = c * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p * (1 - lr * weight_decay) - lr * u


def ammsgd_together(states, ps, gs, *, lr, momentum, pull, weight_decay):
    """All tensors of a model, which share β."""
    gs = [g + weight_decay * p for p, g in zip(ps, gs)]
    ds = [state.get("d", g) for state, g in zip(states, gs)]

    def inner(xs, ys):
        return sum(float(np.sum(x * y)) for x, y in zip(xs, ys))

    apart = [d - g for d, g in zip(ds, gs)]
    numerator = inner(gs, gs) + 2 * pull * inner(gs, ds) - pull * inner(ds, ds)
    spread = inner(apart, apart)
    beta = min(max(numerator / spread, 0.0), momentum) if spread > 0 else 0.0
    for state, d, g in zip(states, ds, gs):
        state["d"] = ((beta + pull) * d + (1 - beta) * g) / (1 + pull)
    return [p - lr * state["d"] for p, state in zip(ps, states)]


def ammsgd(state, p, g, **knobs):
    return ammsgd_together([state], [p], [g], **knobs)[0]


def amadamw(state, p, g, *, lr, betas, eps, weight_decay, pull):
    t = age(state)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    metric = (1 - betas[0] * math.prod(state.setdefault("betas", []))) * (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    d = state.get("d", np.zeros_like(g))
    beta = betas[0]
    if t > 1:
        weight = 1 / (metric * (1 + pull * metric))
        w = d - g
        gap = state["lr"] * np.sum(g * (d / metric + weight_decay * p)) if lr > 0 else 0.0
        numerator = (1 + weight_decay * lr) * gap / (lr or 1.0)
        numerator -= np.sum(w * weight * (g + pull * metric * d)) + weight_decay * np.sum(p * w)
        spread = np.sum(w * weight * w)
        beta = min(max(numerator / spread, 0.0), betas[0]) if spread > 0 else 0.0
    d = state["d"] = ((1 - beta) * g + (pull * metric + beta) * d) / (1 + pull * metric)
    state["betas"].append(beta)
    state["lr"] = lr
    return (1 - lr * weight_decay) * p - lr * d / metric
