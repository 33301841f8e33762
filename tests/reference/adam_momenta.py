"""Adam with other first moments."""

import numpy as np

from tests.reference.age import age


def adamomentum(state, p, g, *, lr, betas, eps, weight_decay, form):
    g = g + weight_decay * p
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    corrected = m / (1 - betas[0] ** t)
    seen = corrected if form == "corrected" else m
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * seen**2 + eps
    return p - lr * corrected / np.sqrt(v / (1 - betas[1] ** t))


def adamnorm(state, p, g, *, lr, betas, eps, weight_decay, gamma, form, amsgrad=False):
    assert not amsgrad
    g = g + weight_decay * p
    t = age(state)
    norm = np.linalg.norm(np.ravel(g))
    e = state["e"] = gamma * state.get("e", 0.0) + (1 - gamma) * norm
    s = g * (e / norm) if e > norm > 0 else g
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * s
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2 + (eps if form == "authors" else 0.0)
    return p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


def ademamix(state, p, g, *, lr, betas, eps, weight_decay, alpha, alpha_warmup, beta3_warmup):
    t = age(state)
    b3 = beta3_at(t, betas[0], betas[2], beta3_warmup)
    a = alpha * t / alpha_warmup if t < alpha_warmup else alpha
    fast = state["fast"] = betas[0] * state.get("fast", 0.0) + (1 - betas[0]) * g
    slow = state["slow"] = b3 * state.get("slow", 0.0) + (1 - b3) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    u = (fast / (1 - betas[0] ** t) + a * slow) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p - lr * (u + weight_decay * p)


def beta3_at(t, beta1, beta3, warmup):
    """The half-life, ln ½ / ln β, goes on a straight line from that of β₁ to that of β₃."""
    if t >= warmup:
        return beta3
    first, last = (np.log(0.5) / np.log(beta) for beta in (beta1, beta3))
    return 0.5 ** (1 / (first + (last - first) * t / warmup))
