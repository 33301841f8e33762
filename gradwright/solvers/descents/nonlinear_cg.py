"""Nonlinear conjugate gradients, as in CG_DESCENT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from gradwright.solvers.descents.base import Descent, Direction, steepest
from gradwright.solvers.linear.vectors import dot, norm
from gradwright.solvers.problem.objective import Point


class Past(NamedTuple):
    """The last step: from where, along what, and how far in units of d."""

    old: Point
    d: Tensor
    alpha: float
    y: Tensor


@dataclass(frozen=True)
class NonlinearCG(Descent):
    """d ← −g + βd, β = max((y − 2d ‖y‖² / dᵀy)ᵀg / dᵀy, η), with η = floor · dᵀg₋ / ‖d‖²; four vectors in all.

    This lower bound on β has no units, unlike the one of the first paper. Every such d is a descent direction with
    gᵀd ≤ −⅞ ‖g‖² for any line search while the bound is not active. The first step length is the last one, scaled so
    that the first-order change stays the same.

    Args:
        floor: of β.

    Reference: Hager and Zhang, SIAM J. Optim. 16 (2005); Dai and Kou, SIAM J. Optim. 23 (2013).
    """

    floor: float = 0.4

    def direction(self, state: Past | None, point: Point) -> Direction:
        if state is None:
            return steepest(point)
        old, d, alpha, y = state
        g = point.gradient
        dy = dot(d, y)
        if not (dy > 0 and dot(d, d) > 0):
            if not norm(d) > 0:
                return steepest(point)
            return Direction(-g, alpha * norm(d) / norm(g))
        beta = (dot(y, g) - 2 * dot(y, y) * dot(d, g) / dy) / dy
        beta = max(beta, self.floor * dot(d, old.gradient) / dot(d, d))
        fresh = beta * d - g
        slope = dot(g, fresh)
        first = alpha * dot(old.gradient, d) / slope if slope < 0 else alpha
        return Direction(fresh, first)

    def learn(self, state: Past | None, old: Point, new: Point, d: Tensor) -> Past:
        return Past(old, d, norm(new.x - old.x) / norm(d), new.gradient - old.gradient)
