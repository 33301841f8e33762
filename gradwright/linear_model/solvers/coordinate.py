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

from gradwright.linear_model.data import compiled
from gradwright.linear_model.data.compiled import address
from gradwright.linear_model.data.program import program
from gradwright.linear_model.losses import Penalty

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
        """Rows and values of column j."""
        part = slice(self.ptr[j], self.ptr[j + 1])
        return (slice(None) if self.rows is None else self.rows[part]), self.x[part]


def descend(columns: Columns, h, s, g, penalty: Penalty, theta, sweeps: int, tol: float) -> tuple[ndarray, int]:
    """Minimise q over the working set.

    Args:
        columns: m columns over n rows.
        h: curvature of each row (n, 1) with weights, or probabilities (n, K).
        s: weights (n,) for softmax, else None.
        g: gradient of the smooth part at θ₀, (m, K).
        penalty: of these columns, groups in a row.
        theta: θ₀, (m, K); becomes θ.
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
        bend[j] = (x * x) @ own + penalty.l2[j]
    library = None
    if compiled.chosen() == "compiled" or (compiled.chosen() == "auto" and columns.x.size * K >= WORTH_COMPILING):
        library = compiled.load(program(SOURCE, penalty=Penalty.cpp))
    if library is None:
        return delta, _plain(columns, h, s, g, penalty, bend, theta, delta, z, mean, sweeps, tol)
    at, whole = address, ctypes.c_int64
    h, g = np.ascontiguousarray(h, np.float64), np.ascontiguousarray(g)
    l2, l1 = np.ascontiguousarray(penalty.l2), np.ascontiguousarray(penalty.l1)
    kept = (l2, l1, bend, theta, delta, z, mean)
    # a single column is told from a group by a γ below zero
    blocks, of = penalty.blocks(), penalty.group_of
    first = np.array([block.start for block in blocks] + [m], np.int64)
    gamma = np.array([-1.0 if of[block.start] < 0 else penalty.gamma[of[block.start]] for block in blocks])
    done = library.descend(
        whole(n), whole(m), whole(K), at(columns.ptr), at(columns.rows), at(columns.x), at(h), at(s), at(g),
        *(at(array) for array in kept), whole(len(gamma)), at(first), at(gamma), sweeps, ctypes.c_double(tol),
    )  # fmt: skip
    return delta, done


def _plain(columns, h, s, g, penalty: Penalty, bend, theta, delta, z, mean, sweeps, tol) -> int:
    K, ridge, blocks = h.shape[1], penalty.l2, penalty.blocks()

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
        for low, high in ((block.start, block.stop) for block in blocks):
            if penalty.group_of[low] < 0:
                for k in range(K):
                    L = bend[low, k]
                    if L <= 0:
                        continue
                    by = penalty.prox(theta[low, k] * L - slope(low, k), L, low) - theta[low, k]
                    if by:
                        move(low, k, by)
                        worst = max(worst, L * by * by)
                continue
            L = float(bend[low:high].sum())
            for _ in range(3):
                t = np.array([[theta[j, k] * L - slope(j, k) for k in range(K)] for j in range(low, high)])
                step = penalty.prox(t, L, low) - theta[low:high]
                for j in range(low, high):
                    for k in range(K):
                        if step[j - low, k]:
                            move(j, k, step[j - low, k])
                worst = max(worst, L * float(np.max(step * step, initial=0.0)))
        if worst <= tol:
            return sweep + 1
    return sweeps
