"""A preconditioner near the Hessian, and the quasi-Newton direction that starts from it."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradwright.linear_model.certificate import Factor
from gradwright.linear_model.data import blocks
from gradwright.linear_model.objective import Objective
from gradwright.linear_model.objective.gram import gram_of


class Preconditioner:
    """A preconditioner near the Hessian, the same for every class: a Gram matrix of sampled rows, or a diagonal."""

    def __init__(self, objective: Objective):
        self.objective = objective
        self.dense = (objective.p <= 4096 and not objective.data.sparse) or objective.p <= 512
        self.rows = objective.data.sample() if self.dense else None
        self.renew(first=True)

    def renew(self, first: bool = False) -> None:
        """Weigh the rows by their curvature at the predictions Z."""
        objective = self.objective
        K = objective.K
        typical = objective.loss.curvature if K == 1 else (1.0 - 1.0 / K) / K
        if not self.dense:
            h = typical if first else max(self._mean(objective), 1e-6 * typical)
            self.diagonal = h + objective.ridge
            return
        rows, places = self.rows
        weight = np.full(len(rows), 1.0) if objective.s is None else objective.s[places] * objective.design.rows
        h = np.full(len(rows), typical) * weight if first else self._curvature(places) * objective.design.rows
        packed = objective.data.sum(np.append(gram_of(objective.design, rows, h).ravel(), float(len(rows))))
        H = packed[:-1].reshape(objective.p, objective.p) / packed[-1]
        H[np.diag_indices_from(H)] += objective.ridge[:, 0]
        self.factor = Factor.of(H, 1e-12)

    def _curvature(self, at) -> ndarray:
        objective = self.objective
        h = objective.curvatures(at)
        if objective.K == 1:
            return h[:, 0]
        s = objective.unit if objective.s is None else np.maximum(objective.s[at], 1e-300)
        p = h / (s if np.isscalar(s) else s[:, None])
        return (p * (1 - p)).mean(1) * s

    def _mean(self, objective: Objective) -> float:
        own = sum(float(self._curvature(at).sum()) for at in blocks(objective.data.n, 4096))
        return float(objective.data.sum(np.array([own]))[0])

    def solve(self, g: ndarray) -> ndarray:
        """M⁻¹ g for g of shape (p, K)."""
        return self.factor.solve(g) if self.dense else g / self.diagonal


def direction(g: ndarray, preconditioner: Preconditioner, pairs, gamma: float) -> ndarray:
    """−H g by the two-loop recursion, from γ M⁻¹."""
    q, kept = g.copy(), []
    for s, y, sy in reversed(pairs):
        a = float(np.sum(s * q)) / sy
        kept.append(a)
        q -= a * y
    q = gamma * preconditioner.solve(q)
    for (s, y, sy), a in zip(pairs, reversed(kept)):
        q += (a - float(np.sum(y * q)) / sy) * s
    return -q
