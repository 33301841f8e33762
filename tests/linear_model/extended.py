"""Objectives in extended precision, and an optimum that is polished there without any code of the package.

numpy's long double has 64 bits of mantissa on x86; where it has no more than a double, these checks are skipped.
"""

from typing import NamedTuple

import numpy as np
import pytest

LD = np.longdouble
extended = pytest.mark.skipif(np.finfo(LD).eps > 2e-19, reason="long double has no more digits than a double here")


class Model(NamedTuple):
    """min Σ s ℓ(X W + b + offset, y) + Σ l1 |W| + ½ l2 W²; numbers are the loss's own, s sums to 1."""

    loss: str
    numbers: dict
    X: np.ndarray
    y: np.ndarray
    s: np.ndarray
    l1: np.ndarray
    l2: np.ndarray
    intercept: bool
    K: int = 1
    offset: np.ndarray | float = 0.0


def _xlogx(x):
    return np.where(x > 0, x * np.log(np.where(x > 0, x, 1)), 0)


def point(name, z, y, numbers):
    """ℓ, ℓ' and ℓ'' of one prediction a row."""
    if name == "squared":
        r = z - y
        return r * r / 2, r, np.ones_like(z)
    if name == "logistic":
        e = np.exp(-np.abs(z))
        up = np.where(z > 0, 1 / (1 + e), e / (1 + e))
        down = np.where(z > 0, e / (1 + e), 1 / (1 + e))
        return np.maximum(z, 0) - y * z + np.log1p(e), (1 - y) * up - y * down, up * down
    if name == "poisson":
        m = np.exp(z)
        return m - y * z + _xlogx(y) - y, m - y, m
    if name == "gamma":
        q = y * np.exp(-z)
        return z + q - np.log(y) - 1, 1 - q, q
    if name == "tweedie":
        two, one = 2 - LD(numbers["power"]), 1 - LD(numbers["power"])
        m, q = np.exp(two * z), y * np.exp(one * z)
        return m / two - q / one + y**two * (1 / one - 1 / two), m - q, two * m - one * q
    if name == "huber":
        r, delta = z - y, LD(numbers["delta"])
        near = np.abs(r) <= delta
        value = np.where(near, r * r / 2, delta * (np.abs(r) - delta / 2))
        return value, np.clip(r, -delta, delta), near.astype(LD)
    if name == "squared_hinge":
        m = np.maximum(1 - y * z, 0)
        return m * m, -2 * y * m, 2 * (m > 0).astype(LD)
    if name == "squared_epsilon_insensitive":
        r = z - y
        m = np.maximum(np.abs(r) - LD(numbers["epsilon"]), 0)
        return m * m, 2 * np.sign(r) * m, 2 * (m > 0).astype(LD)
    if name == "hinge":
        return np.maximum(1 - y * z, 0), None, None
    width = LD(numbers.get("epsilon", 0.0)) if name == "epsilon_insensitive" else LD(0)
    return np.maximum(np.abs(z - y) - width, 0), None, None


def predictions(model, W, b):
    """X W + b + offset in extended precision."""
    return model.X.astype(LD) @ np.asarray(W, LD) + np.asarray(b, LD) + np.asarray(model.offset, LD)


def objective(model, W, b):
    """F at W (d, K) and b (K,), as exact as can be."""
    z, s = predictions(model, W, b), model.s.astype(LD)
    if model.K > 1:
        top = z.max(1)
        value = np.log(np.exp(z - top[:, None]).sum(1)) + top - z[np.arange(len(z)), model.y.astype(int)]
    else:
        value = point(model.loss, z[:, 0], model.y.astype(LD), model.numbers)[0]
    W = np.asarray(W, LD)
    l1, l2 = model.l1.astype(LD)[:, None], model.l2.astype(LD)[:, None]
    live = np.where(s > 0, s * value, 0)
    return live.sum() + np.sum(l1 * np.abs(W)) + np.sum(l2 * W * W) / 2


def triangle(A, b):
    """The least-squares solution of A x = b in extended precision, by Householder's reflections."""
    A, b = A.copy(), b.copy()
    n, p = A.shape
    for j in range(min(n, p)):
        v = A[j:, j].copy()
        size = np.sqrt(np.sum(v * v))
        if size == 0:
            continue
        v[0] += size if v[0] >= 0 else -size
        v /= np.sqrt(np.sum(v * v))
        A[j:, j:] -= 2 * np.outer(v, v @ A[j:, j:])
        b[j:] -= 2 * v * (v @ b[j:])
    x = np.zeros(p, LD)
    diagonal = np.abs(np.diag(A[:p]))
    for j in range(p - 1, -1, -1):
        if j < n and diagonal[j] > 1e-17 * diagonal.max():
            x[j] = (b[j] - A[j, j + 1 : p] @ x[j + 1 :]) / A[j, j]
    return x


def polished(model, W, b, rounds=40):
    """An objective no larger than that at W and b, by Newton's method on the coefficients that are not zero."""
    W, b = np.asarray(W, LD).copy(), np.asarray(b, LD).copy()
    best, X, s = objective(model, W, b), model.X.astype(LD), model.s.astype(LD)
    if model.loss in ("hinge", "absolute", "epsilon_insensitive"):
        return best
    centre = X.mean(0) if model.intercept else np.zeros(X.shape[1], LD)
    scale = np.abs(X - centre).max(0)
    scale[scale == 0] = 1
    for _ in range(rounds):
        d = _step(model, (X - centre) / scale, s, W, b, scale)
        if d is None:
            break
        dW, db = d[0] / scale[:, None], d[1] - (centre / scale) @ d[0]
        moved = False
        for t in [LD(0.5) ** k for k in range(12)]:
            V = W + t * dW
            V = np.where((W != 0) & (np.sign(V) != np.sign(W)) & (model.l1[:, None] > 0), 0, V)
            value = objective(model, V, b + t * db)
            if np.isfinite(value) and value < best:
                W, b, best, moved = V, b + t * db, value, True
                break
        if not moved:
            break
    return best


def _step(model, Z, s, W, b, scale):
    """Newton's step in scaled and centred columns: (d, K) and (K,); columns at a kink stay."""
    K, n, d = model.K, len(s), Z.shape[1]
    z, l1, l2 = predictions(model, W, b), model.l1.astype(LD), model.l2.astype(LD)
    free = np.repeat(l1[:, None] == 0, K, 1) | (W != 0)
    pull = l1[:, None] * np.sign(W) + l2[:, None] * W
    pull, bend = pull / scale[:, None], l2 / scale**2
    A = np.column_stack([Z, np.ones(n, LD)]) if model.intercept else Z
    open_ = np.vstack([free, np.ones((1, K), bool)]) if model.intercept else free
    pull = np.vstack([pull, np.zeros((1, K), LD)]) if model.intercept else pull
    bend = np.append(bend, LD(0)) if model.intercept else bend
    if K == 1:
        _, v, h = point(model.loss, z[:, 0], model.y.astype(LD), model.numbers)
        which = np.flatnonzero(open_[:, 0])
        A, pull, bend = A[:, which], pull[which, 0], bend[which]
        if model.loss in ("huber", "squared_hinge", "squared_epsilon_insensitive"):
            H = A.T @ (A * (s * h)[:, None])
            H[np.diag_indices_from(H)] += bend + LD(1e-17) * np.trace(H) + LD(1e-300)
            step = triangle(H, -(A.T @ (s * v)) - pull)
        else:
            h = np.maximum(h, LD(1e-300))
            root = np.sqrt(s * h)
            rows = [A * root[:, None], np.diag(np.sqrt(bend))]
            # pull = bend w + the kink's part, which no row of the penalty can carry where bend is 0
            right = [-np.where(s > 0, s * v / np.where(root > 0, root, 1), 0), np.zeros(len(which), LD)]
            x = triangle(np.vstack(rows), np.concatenate(right))
            H = A.T @ (A * (s * h)[:, None])
            H[np.diag_indices_from(H)] += bend
            H[np.diag_indices_from(H)] += LD(1e-19) * np.trace(H)
            step = x - triangle(H, pull) if np.any(pull) else x
        out = np.zeros((d + model.intercept, 1), LD)
        out[which, 0] = step
    else:
        e = np.exp(z - z.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        v = p.copy()
        v[np.arange(n), model.y.astype(int)] -= 1
        f = A.shape[1]
        H = np.zeros((K * f, K * f), LD)
        for k in range(K):
            for other in range(K):
                w = s * p[:, k] * ((k == other) - p[:, other])
                H[k * f : k * f + f, other * f : other * f + f] = A.T @ (A * w[:, None])
        H[np.diag_indices_from(H)] += np.tile(bend, K) + LD(1e-17) * np.trace(H)
        g = (A.T @ (v * s[:, None]) + pull).T.ravel()
        which = np.flatnonzero(open_.T.ravel())
        out = np.zeros(K * f, LD)
        out[which] = triangle(H[np.ix_(which, which)], -g[which])
        out = out.reshape(K, f).T
    if not np.all(np.isfinite(out)):
        return None
    return out[:d], out[d] if model.intercept else np.zeros(K, LD)
