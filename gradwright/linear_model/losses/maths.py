"""Functions that keep their digits where the plain formula loses them."""

from __future__ import annotations

import numpy as np
from numpy import ndarray


def sigmoid(z: ndarray) -> tuple[ndarray, ndarray]:
    """σ(z) and σ(−z), each to full relative precision."""
    e = np.exp(-np.abs(z))
    q = 1.0 / (1.0 + e)
    return np.where(z >= 0, q, e * q), np.where(z >= 0, e * q, q)


def xlogx(x: ndarray) -> ndarray:
    """x log x, with 0 at 0 and infinity below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > 0, x * np.log(x), np.where(x == 0, 0.0, np.inf))


def exp_rest(x: ndarray) -> ndarray:
    """eˣ − 1 − x to full relative precision."""
    x = np.asarray(x, np.float64)
    small = np.clip(x, -0.5, 0.5)
    series = np.full(x.shape, 1.0 / 18.0)
    for k in range(17, 2, -1):
        series = (1.0 + small * series) / k
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.abs(x) < 0.5, 0.5 * small * small * (1.0 + small * series), np.expm1(x) - x)


def entropy_rest(s: ndarray) -> ndarray:
    """(1 + s) log(1 + s) − s, which is at least 0, to full relative precision; infinite for s below −1.

    With it a divergence Σ w log(w / p) − w + p is Σ p ψ((w − p) / p): a sum of terms none of which is below 0.
    """
    s = np.asarray(s, np.float64)
    small = np.clip(s, -0.1, 0.1)
    # Σ (−s)ᵏ / (k (k − 1)) from k = 2 on
    series = np.zeros(s.shape)
    for k in range(18, 1, -1):
        series = 1.0 / (k * (k - 1)) - small * series
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        whole = np.where(s > -1.0, (1.0 + s) * np.log1p(s) - s, np.where(s == -1.0, 1.0, np.inf))
    return np.where(np.abs(s) < 0.1, small * small * series, whole)


def divergence(p: ndarray, change: ndarray) -> ndarray:
    """w log(w / p) − w + p with w = p + change: what Bregman's divergence of x log x says; p at least 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = p * entropy_rest(change / p)
    return np.where(p > 0, found, np.where(change == 0, 0.0, np.inf))
