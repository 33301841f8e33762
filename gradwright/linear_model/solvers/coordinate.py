"""Coordinate descent on a quadratic model with L1 and group penalties over a working set of columns.

    q(θ) = g·(θ − θ₀) + ½ Σᵢ δzᵢᵀ Hᵢ δzᵢ + ½ Σ λ₂ (θ − θ₀)² + Σ λ₁ |θ| + Σ_g γ_g ‖θ_g‖,   δz = X (θ − θ₀)

Hᵢ is a number, or for softmax sᵢ (diag p − p pᵀ); δz is kept up to date, so a sweep costs the non-zeros of the columns.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from gradwright.linear_model.data import kernels
from gradwright.linear_model.data.program import program

WORTH_COMPILING = 100_000
"""Entries of a working set from which compiled sweeps pay."""

SOURCE = Path(__file__).with_name("coordinate.cpp")


@dataclass
class Columns:
    """Columns of a working set: values ``x`` of column j from ``ptr[j]``, with their rows, or every row in turn."""

    ptr: ndarray
    rows: ndarray | None
    x: ndarray

    def of(self, j: int) -> tuple[ndarray | slice, ndarray]:
        part = slice(self.ptr[j], self.ptr[j + 1])
        return (slice(None) if self.rows is None else self.rows[part]), self.x[part]


def descend(columns, h, s, g, ridge, l1, theta, first, gamma, sweeps: int, tol: float) -> tuple[ndarray, int]:
    """Minimise q over the working set.

    Args:
        columns: m columns over n rows.
        h: curvature of each row (n, 1) with weights, or probabilities (n, K).
        s: weights (n,) for softmax, else None.
        g: gradient of the smooth part at θ₀, (m, K).
        ridge, l1: λ₂ and λ₁, (m,).
        theta: θ₀, (m, K); becomes θ.
        first: first column of each group and the end; gamma: γ, or −1 for one column with λ₁.
        tol: end when no move changes q by more.

    Returns:
        θ − θ₀ and the sweeps made.
    """
    n, K = h.shape
    m = len(columns.ptr) - 1
    z, mean, delta = np.zeros((n, K)), np.zeros(n), np.zeros((m, K))
    bend = np.empty((m, K))
    for j in range(m):
        at, x = columns.of(j)
        own = h[at] if s is None else (h[at] * (1.0 - h[at])) * s[at][:, None]
        bend[j] = (x * x) @ own + ridge[j]
    library = None
    if kernels.chosen() == "compiled" or (kernels.chosen() == "auto" and columns.x.size * K >= WORTH_COMPILING):
        library = kernels.load(program(SOURCE))
    if library is None:
        return delta, _plain(columns, h, s, g, ridge, l1, bend, theta, delta, z, mean, first, gamma, sweeps, tol)
    at, whole = kernels.address, ctypes.c_int64
    h, g = np.ascontiguousarray(h, np.float64), np.ascontiguousarray(g)
    kept = (ridge, l1, bend, theta, delta, z, mean)
    done = library.descend(
        whole(n), whole(m), whole(K), at(columns.ptr), at(columns.rows), at(columns.x), at(h), at(s), at(g),
        *(at(array) for array in kept), whole(len(gamma)), at(first), at(gamma), sweeps, ctypes.c_double(tol),
    )  # fmt: skip
    return delta, done


def _plain(columns, h, s, g, ridge, l1, bend, theta, delta, z, mean, first, gamma, sweeps, tol) -> int:
    K = h.shape[1]

    def slope(j: int, k: int) -> float:
        at, x = columns.of(j)
        if s is None:
            return float(x @ (h[at, 0] * z[at, 0])) + g[j, k] + ridge[j] * delta[j, k]
        return float(x @ (s[at] * h[at, k] * (z[at, k] - mean[at]))) + g[j, k] + ridge[j] * delta[j, k]

    def move(j: int, k: int, by: float) -> None:
        at, x = columns.of(j)
        theta[j, k] += by
        delta[j, k] += by
        z[at, k] += x * by
        if s is not None:
            mean[at] += h[at, k] * x * by

    for sweep in range(sweeps):
        worst = 0.0
        for low, high, strength in zip(first[:-1], first[1:], gamma):
            if strength < 0:
                for k in range(K):
                    L = bend[low, k]
                    if L <= 0:
                        continue
                    t = theta[low, k] * L - slope(low, k)
                    by = np.sign(t) * max(abs(t) - l1[low], 0.0) / L - theta[low, k]
                    if by:
                        move(low, k, by)
                        worst = max(worst, L * by * by)
                continue
            L = float(bend[low:high].sum())
            for _ in range(3):
                t = np.array([[theta[j, k] * L - slope(j, k) for k in range(K)] for j in range(low, high)])
                norm = float(np.linalg.norm(t))
                keep = (1.0 - strength / norm) / L if norm > strength and L > 0 else 0.0
                step = keep * t - theta[low:high]
                for j in range(low, high):
                    for k in range(K):
                        if step[j - low, k]:
                            move(j, k, step[j - low, k])
                worst = max(worst, L * float(np.max(step * step, initial=0.0)))
        if worst <= tol:
            return sweep + 1
    return sweeps
