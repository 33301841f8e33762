"""Schedule-free methods with their three sequences kept apart: z steps, x averages, y is where gradients are taken."""

import math

import numpy as np

from tests.reference.age import age
from tests.reference.muon import newton_schulz


def _average(state, y, step, *, t, eta, beta, r, power, decay=0.0):
    """Move z by ``eta * step`` and decay at z, average it into x, and answer with the new y."""
    z, x = state.get("z", y), state.get("x", y)
    state["largest"] = max(state.get("largest", 0.0), eta)
    weight = t**r * state["largest"] ** power
    state["weights"] = state.get("weights", 0.0) + weight
    c = weight / state["weights"] if state["weights"] else 0.0
    z = state["z"] = z - eta * (step + decay * z)
    x = state["x"] = (1 - c) * x + c * z
    return beta * x + (1 - beta) * z


def _warm(lr, t, warmup_steps):
    return lr * min(1.0, t / warmup_steps) if warmup_steps else lr


def schedule_free_adamw(state, p, g, *, lr, betas, eps, weight_decay, warmup_steps, r, weight_lr_power):
    t = age(state)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    u = g / (np.sqrt(v / (1 - betas[1] ** t)) + eps) + weight_decay * p
    return _average(state, p, u, t=t, eta=_warm(lr, t, warmup_steps), beta=betas[0], r=r, power=weight_lr_power)


def schedule_free_sgd(state, p, g, *, lr, momentum, weight_decay, warmup_steps, r, weight_lr_power):
    t, u = age(state), g + weight_decay * p
    return _average(state, p, u, t=t, eta=_warm(lr, t, warmup_steps), beta=momentum, r=r, power=weight_lr_power)


def schedule_free_radam(state, p, g, *, lr, betas, eps, weight_decay, r, weight_lr_power, silent_sgd_phase):
    t = age(state)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    limit = 2 / (1 - betas[1]) - 1
    rho = limit - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    if rho > 4:
        u = g / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
        eta = lr * math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
    else:
        u, eta = g, 0.0 if silent_sgd_phase else lr
    return _average(state, p, u + weight_decay * p, t=t, eta=eta, beta=betas[0], r=r, power=weight_lr_power)


def schedule_free_plus(
    state,
    p,
    g,
    *,
    lr,
    betas,
    sf_beta1,
    eps,
    weight_decay,
    f_star,
    polyak_beta,
    c_warmup,
    r,
    weight_lr_power,
    sf_beta1_max,
    sf_beta1_anneal_steps,
    loss,
):
    t = age(state)
    k = t - 1
    rho = min(k / sf_beta1_anneal_steps, 1.0) if sf_beta1_anneal_steps else 0.0
    beta = 1 - (1 - sf_beta1) ** (1 - rho) * (1 - sf_beta1_max) ** rho
    z, x, y = state.get("z", p), state.get("x", p), p
    ahead = beta * np.sum(g * (z - x))
    l1 = np.abs(g).sum() * math.sqrt(math.pi / 2)
    e = state["e"] = polyak_beta * state.get("e", 0.0) + (1 - polyak_beta) * l1
    eta = lr * max(0.0, loss - f_star + ahead) / (e / (1 - polyak_beta**t))
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * g**2
    z = z - eta**2 * weight_decay * y
    z = z - eta * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    state["largest"] = max(state.get("largest", 0.0), eta)
    c = 1.0
    if k >= c_warmup:
        weight = t**r * state["largest"] ** weight_lr_power
        state["weights"] = state.get("weights", 0.0) + weight
        c = weight / state["weights"] if state["weights"] else 0.0
    x = (1 - c) * x + c * z
    state["z"], state["x"] = z, x
    return beta * x + (1 - beta) * z


def schedule_free_normuon(
    state, p, g, *, lr, betas, sf_beta, eps, weight_decay, warmup_steps, coefficients, r, weight_lr_power
):
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    o = newton_schulz(m.reshape(m.shape[0], -1), coefficients)
    v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * np.mean(o**2, axis=1, keepdims=True)
    n = o / (np.sqrt(v) + eps)
    u = (0.2 * math.sqrt(n.size) / np.linalg.norm(n) * n).reshape(p.shape)
    eta = _warm(lr, t, warmup_steps)
    return _average(state, p, u, t=t, eta=eta, beta=sf_beta, r=r, power=weight_lr_power, decay=weight_decay)


def schedule_free(state, p, g, *, base, lr, momentum, warmup_steps, r, weight_lr_power, without=None, **knobs):
    """``without`` is the momentum of a base that has none."""
    t = age(state)
    u = p - base(state.setdefault("inner", {}), p, g, lr=1.0, momentum=without, **knobs)
    return _average(state, p, u, t=t, eta=_warm(lr, t, warmup_steps), beta=momentum, r=r, power=weight_lr_power)
