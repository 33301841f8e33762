"""SPAM and Stable-SPAM."""

import math

import numpy as np

from tests.reference.age import age


def spam(state, p, g, *, lr, betas, eps, weight_decay, threshold, reset_every, wait, warmup):
    t = age(state)
    if t % reset_every == 0:
        state["m"] = state["v"] = np.zeros_like(g)
    m, v = state.get("m", np.zeros_like(g)), state.get("v", np.zeros_like(g))
    if t >= wait and t % reset_every >= wait:
        spikes = (g**2 > threshold * v) & (v > 0)
        g = np.where(spikes, np.sign(g) * np.sqrt(threshold * v), g)
    m = state["m"] = betas[0] * m + (1 - betas[0]) * g
    v = state["v"] = betas[1] * v + (1 - betas[1]) * g**2
    k = t % reset_every if t >= reset_every else warmup
    w = 1 - 0.99 * (1 + math.cos(math.pi * k / (warmup + 1))) / 2 if k < warmup else 1.0
    correction = math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
    p = p - lr * w * correction * m / (np.sqrt(v) + eps)
    return p - lr * weight_decay * p


def stable_spam(state, p, g, *, lr, betas, gammas, theta, eps, weight_decay, reset_every):
    t = age(state)
    most = np.abs(g).max()
    peak = state["peak"] = theta * state.get("peak", 0.0) + (1 - theta) * most
    usual = peak / (1 - theta**t)
    g = np.where(np.abs(g) > usual, g / most * usual, g)
    long = math.sqrt(np.sum(g**2))
    a = state["a"] = gammas[0] * state.get("a", 0.0) + (1 - gammas[0]) * long
    b = state["b"] = gammas[1] * state.get("b", 0.0) + (1 - gammas[1]) * long**2
    g = g / long * (a / (1 - gammas[0] ** t)) / (math.sqrt(b / (1 - gammas[1] ** t)) + eps)
    if t % reset_every == 0:
        state["seen"] = []
    seen = state.setdefault("seen", [])
    seen.append(g)
    back = np.arange(len(seen))[::-1]
    m, v = (sum(w * x**power for w, x in zip(beta**back, seen)) / sum(beta**back) for beta, power in zip(betas, (1, 2)))
    return p - lr * (m / (np.sqrt(v) + eps) + weight_decay * p)
