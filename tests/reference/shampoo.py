"""Shampoo and SPlus."""

import numpy as np

from tests.reference.age import age


def shampoo(
    state,
    p,
    g,
    *,
    lr,
    betas,
    eps,
    weight_decay,
    graft,
    graft_eps,
    form,
    accumulate,
    precondition_frequency,
    max_precond_dim,
):
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    bar = m / (1 - betas[0] ** t)
    keep, new, whole = (1.0, 1.0, 1.0) if accumulate else (betas[1], 1 - betas[1], 1 - betas[1] ** t)
    grams, made = state.setdefault("grams", {}), state.setdefault("made", {})
    for k in [k for k in range(g.ndim) if g.shape[k] <= max_precond_dim] if g.ndim > 1 else []:
        slices = np.moveaxis(g, k, 0).reshape(g.shape[k], -1)
        grams[k] = keep * grams.get(k, 0.0) + new * slices @ slices.T
        if (t - 1) % precondition_frequency == 0:
            values, vectors = np.linalg.eigh(grams[k] / whole)
            power = (values - min(values.min(), 0) + eps) ** (-1 / (2 * g.ndim))
            made[k] = vectors if form == "eigenvalue" else vectors @ np.diag(power) @ vectors.T
    if form == "eigenvalue":
        v = state["w"] = keep * state.get("w", 0.0) + new * _along(g, made) ** 2
        u = _along(_along(bar, made) / (np.sqrt(v / whole) + graft_eps), {k: q.T for k, q in made.items()})
    else:
        u = _along(bar, made)
    if graft != "none":
        size = _size(state, bar, g, t, betas[1], graft, graft_eps)
        u = u * np.linalg.norm(size) / np.linalg.norm(u)
    return p - lr * (u + weight_decay * p)


def _size(state, bar, g, t, beta, graft, eps):
    if graft == "sgd":
        return bar
    if graft == "adagrad":
        v = state["v"] = state.get("v", 0.0) + g**2
        return bar / (np.sqrt(v) + eps)
    v = state["v"] = beta * state.get("v", 0.0) + (1 - beta) * g**2
    return bar / (np.sqrt(v / (1 - beta**t)) + eps)


def splus(state, p, g, *, lr, betas, weight_decay, ema_rate, inverse_every, max_dim):
    """The weights of training; the average is looked at elsewhere."""
    t = age(state)
    m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
    q, grams = state.setdefault("q", {}), state.setdefault("grams", {})
    u = _along(np.sign(_along(m, q)), {k: basis.T for k, basis in q.items()})
    if g.ndim == 2:
        for k in [k for k in (0, 1) if g.shape[k] <= max_dim]:
            slices = g if k == 0 else g.T
            grams[k] = betas[1] * grams.get(k, 0.0) + (1 - betas[1]) * slices @ slices.T
            if t == 1 or t % inverse_every == 0:
                q[k] = np.linalg.eigh(grams[k])[1]
    s = 2 / sum(g.shape) if g.ndim == 2 and max(g.shape) <= max_dim else 0.001
    x = p - lr * s * u
    return x - lr * s * weight_decay * x


def _along(x, matrices):
    """The product of every dimension with the transpose of its matrix."""
    for k, matrix in matrices.items():
        x = np.moveaxis(np.apply_along_axis(lambda line, a=matrix: a.T @ line, k, x), k, k)
    return x
