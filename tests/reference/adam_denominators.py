"""Adam with other denominators."""

import numpy as np

from tests.reference.age import age


def _averages(state, g, betas):
    """t, m and v, neither corrected."""
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", np.zeros_like(g)) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", np.zeros_like(g)) + (1 - betas[1]) * g**2
    return t, m, v


def amsgrad(state, p, g, *, lr, betas, eps, weight_decay, form):
    t, m, v = _averages(state, g + weight_decay * p, betas)
    first, second = 1 - betas[0] ** t, 1 - betas[1] ** t
    seen = v / second if form == "corrected" else v
    largest = state["largest"] = np.maximum(state.get("largest", 0.0), seen)
    if form == "raw":
        return p - lr * (m / first) / (np.sqrt(largest / second) + eps)
    divisor = np.sqrt(largest) + eps
    if form == "paper":
        return p - lr * np.divide(m, divisor, out=np.zeros_like(m), where=divisor > 0)
    return p - lr * m / first / divisor


def adamax(state, p, g, *, lr, betas, eps, weight_decay):
    g = g + weight_decay * p
    t, m, _ = _averages(state, g, betas)
    r = state["r"] = np.maximum(betas[1] * state.get("r", 0.0), np.abs(g) + eps)
    return p - lr / (1 - betas[0] ** t) * m / r


def eadam(state, p, g, *, lr, betas, eps, weight_decay, amsgrad, form):
    """In closed form: what ε has gathered to in v is a geometric sum."""
    t, m, v = _averages(state, g + weight_decay * p, betas)
    share = 1.0 if form == "stored" else 1 - betas[1]
    v = v + share * eps * sum(betas[1] ** i for i in range(t))
    if amsgrad:
        v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
    return p - lr * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t) * m / np.sqrt(v)


def sadam(state, p, g, *, lr, betas, eps, weight_decay, smooth, amsgrad, form):
    t, m, v = _averages(state, g + weight_decay * p, betas)
    if amsgrad:
        v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
    correction = np.sqrt(1 - betas[1] ** t)
    step = lr * m / (1 - betas[0] ** t)
    if form == "authors":
        return p - step * correction / softplus(np.sqrt(v) + eps, smooth)
    return p - step / softplus(np.sqrt(v) / correction + eps, smooth)


def softplus(x, s):
    return np.logaddexp(0.0, s * x) / s


def adam_atan2(state, p, g, *, lr, betas, weight_decay, a, b):
    """The angle of the point (b √v̂, m̂), which is that of a complex number."""
    t, m, v = _averages(state, g, betas)
    point = b * np.sqrt(v / (1 - betas[1] ** t)) + 1j * m / (1 - betas[0] ** t)
    return p * (1 - lr * weight_decay) - lr * a * np.angle(point)
