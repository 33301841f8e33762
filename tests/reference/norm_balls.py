"""Scion, Dion and Dion2, a matrix at a time: a kernel is out × the rest, three dimensions are a stack."""

import math

import numpy as np

from tests.reference.age import age
from tests.reference.draws import key, normal
from tests.reference.muon import each_matrix, newton_schulz


def scion(state, p, g, *, lr, momentum, radius, head_radius, constrained, ball, coefficients, head=False):
    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * g
    kind = ball if ball != "auto" else "sign" if head else "rms" if g.ndim < 2 else "spectral"
    u = (head_radius if head else radius) * _farthest(m, kind, coefficients)
    return (p - lr * p if constrained else p) - lr * u


def _farthest(m, kind, coefficients):
    if kind == "rms":
        return m / math.sqrt(np.mean(m**2))
    if kind == "spectral" and m.ndim == 4:
        out, into, *window = m.shape
        polar = newton_schulz(m.reshape(out, -1), coefficients).reshape(m.shape)
        return math.sqrt(out / into) / math.prod(window) * polar
    balls = {
        "spectral": lambda x: math.sqrt(x.shape[0] / x.shape[1]) * newton_schulz(x, coefficients),
        "sign": lambda x: np.sign(x) / x.shape[1],
        "column": lambda x: x / np.sqrt(np.mean(x**2, axis=0, keepdims=True)),
        "token": lambda x: x / np.sqrt(np.mean(x**2, axis=1, keepdims=True)),
        "row": lambda x: x / np.sqrt(np.sum(x**2, axis=1, keepdims=True)) / math.sqrt(x.shape[1]),
    }
    return each_matrix(balls[kind], m, 1)


def dion(state, p, g, *, lr, momentum, weight_decay, rank_fraction):
    """Of one matrix."""
    x = g.reshape(g.shape[0], -1)
    n, m = x.shape
    whole = state.get("m", np.zeros_like(x)) + x
    seen = whole.T if n < m else whole
    if age(state) == 1:
        short = min(n, m)
        state["q"] = normal(key(0, 0), (short, max(1, math.ceil(rank_fraction * short - 1e-9))))
    basis = np.linalg.qr(seen @ state["q"])[0]
    r = seen.T @ basis
    seen = seen - (1 - momentum) * basis @ r.T
    state["q"] = r / np.linalg.norm(r, axis=0)
    u = basis @ state["q"].T
    state["m"], u = (seen.T, u.T) if n < m else (seen, u)
    return p - lr * weight_decay * p - lr * math.sqrt(n / m) * u.reshape(g.shape)


def dion2(state, p, g, *, lr, momentum, weight_decay, fraction, coefficients):
    whole = state["m"] = state.get("m", 0.0) + g

    def step(x):
        seen = x.T if x.shape[1] < x.shape[0] else x
        count = max(1, math.ceil(fraction * len(seen) - 1e-9))
        rows = sorted(sorted(range(len(seen)), key=lambda at: (-np.abs(seen[at]).sum(), at))[:count])
        u, kept = np.zeros_like(seen), np.ones_like(seen)
        u[rows] = newton_schulz(seen[rows], coefficients)
        kept[rows] = momentum
        u, kept = (u.T, kept.T) if x.shape[1] < x.shape[0] else (u, kept)
        return np.concatenate([math.sqrt(x.shape[0] / x.shape[1]) * u, kept])

    both = [step(x) for x in (whole if g.ndim == 3 else [whole.reshape(g.shape[0], -1)])]
    half = len(both[0]) // 2
    u, kept = (np.stack([one[part] for one in both]).reshape(g.shape) for part in (slice(half), slice(half, None)))
    state["m"] = whole * kept
    return p - lr * weight_decay * p - lr * u
