"""KL-Shampoo and KL-SOAP, a matrix at a time: a kernel is out × the rest, three dimensions are a stack."""

import numpy as np

from tests.reference.age import age


def kl_shampoo(state, p, g, *, lr, betas, eps, weight_decay, precondition_frequency):
    return _stepped(state, p, g, lr, betas, betas[1], eps, weight_decay, precondition_frequency, False)


def kl_soap(state, p, g, *, lr, betas, eps, weight_decay, precondition_frequency, shampoo_beta):
    rate = betas[1] if shampoo_beta is None else shampoo_beta
    return _stepped(state, p, g, lr, betas, rate, eps, weight_decay, precondition_frequency, True)


def _stepped(state, p, g, lr, betas, rate, eps, weight_decay, every, adam):
    stack = g if g.ndim == 3 else g.reshape(1, g.shape[0], -1)
    held = state.setdefault("held", [{} for _ in stack])
    moves = [_direction(own, x, betas, rate, eps, every, adam) for own, x in zip(held, stack)]
    if moves[0] is None:
        return p
    return (p - lr * np.stack(moves).reshape(g.shape)) * (1 - lr * weight_decay)


def _direction(state, g, betas, rate, eps, every, adam):
    t, (n, m) = age(state) - 1, g.shape
    if t == 0:
        state["grams"] = [(1 - rate) * g @ g.T / m, (1 - rate) * g.T @ g / n]
        state["q"] = [np.linalg.eigh(gram)[1][:, ::-1] for gram in state["grams"]]
        state["roots"] = [np.full(size, 0.1**-0.5) for size in (n, m)]  # one over the root of an eigenvalue
        state["m"], state["v"] = np.zeros_like(g), np.zeros_like(g)
        return None
    (ql, qr), (rl, rr) = state["q"], state["roots"]
    seen = ql.T @ g @ qr
    state["m"] = betas[0] * state["m"] + (1 - betas[0]) * g
    turned = ql.T @ state["m"] @ qr
    if adam:
        state["v"] = betas[1] * state["v"] + (1 - betas[1]) * seen**2
        u = turned / (np.sqrt(state["v"]) + eps)
    else:
        rho = np.outer(rl, rr)
        u = turned * rho / (1 + eps * rho)
    left = g @ qr @ np.diag(rr**2) @ qr.T @ g.T / m
    right = g.T @ ql @ np.diag(rl**2) @ ql.T @ g / n
    state["grams"] = [rate * old + (1 - rate) * new for old, new in zip(state["grams"], (left, right))]
    means = np.mean((seen * rr) ** 2, axis=1), np.mean((seen * rl[:, None]) ** 2, axis=0)
    state["roots"] = [
        np.minimum((rate / r**2 + (1 - rate) * d) ** -0.5, max(10, min(len(r), 4000))) for r, d in zip((rl, rr), means)
    ]
    if t % every == 0:
        state["q"] = [np.linalg.qr(gram @ q)[0] for gram, q in zip(state["grams"], state["q"])]
    return ql @ u @ qr.T
