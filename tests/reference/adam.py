"""Adam and its closest kin."""

import numpy as np

from tests.reference.age import age


def adam_direction(state, g, betas, eps, amsgrad=False):
    """m̂ / (√v̂ + ε); AMSGrad takes the largest raw v and corrects it by the present step, as torch does."""
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    if amsgrad:
        v = state["largest"] = np.maximum(state.get("largest", 0.0), v)
    return m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


def adam(state, p, g, *, lr, betas, eps, weight_decay, amsgrad):
    return p - lr * adam_direction(state, g + weight_decay * p, betas, eps, amsgrad)


def adamw(state, p, g, *, lr, betas, eps, weight_decay, amsgrad):
    decayed = p * (1 - lr * weight_decay)
    return decayed - lr * adam_direction(state, g, betas, eps, amsgrad)


def nadam(state, p, g, *, lr, betas, eps, weight_decay, momentum_decay, decoupled_weight_decay, form):
    if not decoupled_weight_decay:
        g = g + weight_decay * p
    t = age(state)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    numerator = {"torch": _torch_numerator, "dozat": _dozat_numerator, "optax": _optax_numerator}[form]
    u = numerator(state, t, g, betas[0], momentum_decay) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return (p * (1 - lr * weight_decay) if decoupled_weight_decay else p) - lr * u


def _mu(beta, t, psi):
    return beta * (1 - 0.5 * 0.96 ** (t * psi))


def _torch_numerator(state, t, g, beta, psi, average_with=None):
    through_now = np.prod([_mu(beta, i, psi) for i in range(1, t + 1)])
    through_next = through_now * _mu(beta, t + 1, psi)
    rate = beta if average_with is None else average_with
    m = state["m"] = rate * state.get("m", 0.0) + (1 - rate) * g
    return (1 - _mu(beta, t, psi)) * g / (1 - through_now) + _mu(beta, t + 1, psi) * m / (1 - through_next)


def _dozat_numerator(state, t, g, beta, psi):
    return _torch_numerator(state, t, g, beta, psi, average_with=_mu(beta, t, psi))


def _optax_numerator(state, t, g, beta, psi):
    m = state["m"] = beta * state.get("m", 0.0) + (1 - beta) * g
    return beta * m / (1 - beta ** (t + 1)) + (1 - beta) * g / (1 - beta**t)


def nadamw(state, p, g, *, lr, betas, eps, weight_decay):
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    ahead = (betas[0] * m + (1 - betas[0]) * g) / (1 - betas[0] ** t)
    return p * (1 - lr * weight_decay) - lr * ahead / (np.sqrt(v / (1 - betas[1] ** t)) + eps)


def adabelief(state, p, g, *, lr, betas, eps, weight_decay, rectify=False):
    assert not rectify, "see rectified_adabelief"
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    s = state["s"] = betas[1] * state.get("s", 0.0) + (1 - betas[1]) * (g - m) ** 2 + eps
    u = m / (1 - betas[0] ** t) / (np.sqrt(s / (1 - betas[1] ** t)) + eps)
    return p * (1 - lr * weight_decay) - lr * u
