"""SOAP, each dimension of a tensor with its Gram matrix and eigenvectors."""

import math

import numpy as np

from tests.reference.age import age


def soap(
    state,
    p,
    g,
    *,
    lr,
    betas,
    eps,
    weight_decay,
    shampoo_beta,
    precondition_frequency,
    max_precond_dim,
    precondition_1d,
):
    t = age(state) - 1
    rate = betas[1] if shampoo_beta is None else shampoo_beta
    sides = [k for k in range(g.ndim) if g.shape[k] <= max_precond_dim] if g.ndim > 1 or precondition_1d else []
    grams, q = state.setdefault("grams", {}), state.setdefault("q", {})
    if t > 0:
        m = state["m"] = betas[0] * state.get("m", 0.0) + (1 - betas[0]) * g
        v = state["v"] = betas[1] * state.get("v", 0.0) + (1 - betas[1]) * _turn(g, q) ** 2
        u = _turn(_turn(m, q) / (np.sqrt(v) + eps), {k: basis.T for k, basis in q.items()})
        p = p - lr * math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t) * u
        p = p - lr * weight_decay * p
    for k in sides:
        slices = np.moveaxis(g, k, 0).reshape(g.shape[k], -1)
        grams[k] = rate * grams.get(k, 0.0) + (1 - rate) * slices @ slices.T
        if t == 0:
            q[k] = np.linalg.eigh(grams[k])[1][:, ::-1]
        elif t % precondition_frequency == 0:
            order = np.argsort(-np.diag(q[k].T @ grams[k] @ q[k]))
            state["v"] = np.take(state["v"], order, axis=k)
            q[k] = np.linalg.qr(grams[k] @ q[k][:, order])[0]
    return p


def _turn(x, q):
    for k, basis in q.items():
        x = np.moveaxis(np.apply_along_axis(lambda line, b=basis: b.T @ line, k, x), k, k)
    return x
