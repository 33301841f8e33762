"""Which optimum, where an absolute loss has many: the one with the least ‖w‖² + b² of the unpenalised coefficients.

An optimal dual point says what all optima share: rows whose slope is inside its box lie on the fit, the others on their
side of it. Within that polyhedron the point of least norm is unique, so that it depends neither on where a fit began
nor on whether rows are repeated or weighted. It is a least-distance problem (Lawson and Hanson, Solving least squares
problems, 1974, chapter 23).
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from scipy import linalg, optimize

from gradwright.linear_model.certificate.dual_of_penalty import columns
from gradwright.linear_model.objective import Objective

AT_END = 1e-7
"""How near its end a slope counts as at it."""
LARGEST = 2_000_000
"""Entries of the free columns beyond which any optimum does."""


def choose(objective: Objective, theta: ndarray, v: ndarray) -> ndarray | None:
    """The optimum of least norm, for slopes v in [−1, 1] that are optimal, from θ near one; None if it is not found."""
    free, s = np.flatnonzero(objective.ridge[:, 0] == 0), objective.row_weights()
    if len(free) == 0 or objective.data.n * len(free) > LARGEST:
        return None
    x = columns(objective, free)
    size = np.abs(objective.Z[:, 0] - objective.y)
    held = (np.abs(v) < 1.0 - AT_END) & (s > 0)
    if np.all(size[s > 0] <= 1e-9 * np.abs(objective.y).max(initial=0.0)):
        held = s > 0  # every row is fitted
    r, out = objective.Z[:, 0] - objective.y, theta.copy()
    N = np.eye(len(free))
    if held.any():
        onto = np.linalg.lstsq(x[held], r[held], rcond=1e-9)[0]
        r = r - x @ onto
        out[free, 0] -= onto
        N = linalg.null_space(x[held], rcond=1e-9)
    if N.shape[1] == 0:
        return out
    live = ~held & (s > 0)
    side = np.sign(v[live])
    # rows (w, b) of the free coefficients, as they are given to users
    rows, start = _coefficients(objective, free, N), _coefficients(objective, free, out[free])
    Q, R = np.linalg.qr(rows)
    if np.abs(np.diag(R)).min() <= 1e-12 * np.abs(np.diag(R)).max():
        return None
    centre = (Q.T @ start)[:, 0]
    # u = R t + centre has the least norm that keeps every row on its side
    G = np.linalg.solve(R.T, (side[:, None] * (x[live] @ N)).T).T
    h = G @ centre - side * r[live]
    u = _least_distance(G, h)
    if u is None:
        return None
    out[free, 0] += N @ np.linalg.solve(R, u - centre)
    return out


def _coefficients(objective: Objective, free: ndarray, V: ndarray) -> ndarray:
    """w and b of changes V (f, m) of the free rows of θ."""
    whole = np.zeros((objective.p, V.shape[1]))
    whole[free] = V
    W, b = objective.design.weights(whole)
    return np.vstack([W, b]) if objective.design.intercept else W


def _least_distance(G: ndarray, h: ndarray) -> ndarray | None:
    """The u of least norm with G u ≥ h; None if there is none or it is not found."""
    if len(h) == 0 or np.all(h <= 0):
        return np.zeros(G.shape[1])
    size = max(float(np.abs(h).max()), 1e-300)
    E = np.vstack([G.T, h / size])
    f = np.append(np.zeros(G.shape[1]), 1.0)
    try:
        y, _ = optimize.nnls(E, f, maxiter=30 * E.shape[1])
    except RuntimeError:
        return None
    residual = E @ y - f
    if not residual[-1] < -1e-14:
        return None
    return -residual[:-1] / residual[-1] * size
