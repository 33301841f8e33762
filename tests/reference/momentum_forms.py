"""QHM, QHAdam and AggMo."""

import numpy as np

from tests.reference.age import age


def _decayed(p, g, lr, weight_decay, decoupled):
    return (p * (1 - lr * weight_decay), g) if decoupled else (p, g + weight_decay * p)


def qhm(state, p, g, *, lr, momentum, nu, weight_decay, decoupled_weight_decay):
    p, g = _decayed(p, g, lr, weight_decay, decoupled_weight_decay)
    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * g
    return p - lr * (nu * m + (1 - nu) * g)


def qhadam(state, p, g, *, lr, betas, nus, eps, weight_decay, decoupled_weight_decay):
    """With averages by running weights, as the authors' code has them."""
    p, g = _decayed(p, g, lr, weight_decay, decoupled_weight_decay)
    averages = []
    for key, beta, x in (("m", betas[0], g), ("v", betas[1], g**2)):
        weight = state[key + " weight"] = 1 + beta * state.get(key + " weight", 0.0)
        state[key] = (1 - 1 / weight) * state.get(key, 0.0) + x / weight
        averages.append(state[key])
    numerator = nus[0] * averages[0] + (1 - nus[0]) * g
    return p - lr * numerator / (np.sqrt(nus[1] * averages[1] + (1 - nus[1]) * g**2) + eps)


def aggmo(state, p, g, *, lr, betas, weight_decay):
    """Each ball as the sum of all gradients, weighed by their age."""
    seen = state.setdefault("seen", [])
    seen.append(g + weight_decay * p)
    balls = [sum(beta ** (len(seen) - 1 - i) * x for i, x in enumerate(seen)) for beta in betas]
    return p - lr * sum(balls) / 3


def laprop(state, p, g, *, lr, betas, eps, weight_decay):
    t = age(state)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p - lr * (m / (1 - betas[0] ** t) + weight_decay * p)


def novograd(state, p, g, *, lr, betas, eps, weight_decay, averaging):
    square = float(np.sum(g**2))
    v = state["v"] = square if not state.get("v") else betas[1] * state["v"] + (1 - betas[1]) * square
    u = (g / (np.sqrt(v) + eps) + weight_decay * p) * (1 - betas[0] if averaging else 1)
    m = state["m"] = betas[0] * state.get("m", 0.0) + u
    return p - lr * m


def bcos(state, p, g, *, lr, momentum, eps, weight_decay):
    b, m = momentum, state.get("m", g)
    v = (3 * b**2 - 2 * b**3) * m**2 + (1 - b) ** 2 * g**2 + 2 * b * (1 - b) ** 2 * m * g
    m = state["m"] = b * m + (1 - b) * g
    return p * (1 - lr * weight_decay) - lr * m / (np.sqrt(v) + eps)


def ranger(state, p, g, *, lr, betas, eps, weight_decay, k, alpha):
    t = age(state)
    slow = state.setdefault("slow", p)
    if g.ndim > 1:
        g = g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    limit = 2 / (1 - betas[1]) - 1
    rho = limit - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    p = p * (1 - lr * weight_decay)
    if rho > 5:
        r = np.sqrt((1 - betas[1] ** t) * (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
        p = p - lr * r / (1 - betas[0] ** t) * m / (np.sqrt(v) + eps)
    else:
        p = p - lr / (1 - betas[0] ** t) * m
    if t % k == 0:
        p = state["slow"] = slow + alpha * (p - slow)
    return p
