"""Gauss-Newton with a shortened step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.residuals.linearization import Linearization
from gradwright.solvers.residuals.step import Outcome, Rule, Step


@dataclass(frozen=True)
class GaussNewtonSearch(Rule):
    """``gauss-newton``: α times the minimiser of ‖Jp + r‖, the one of least ‖Dp‖ where J has not full rank.

    Every iteration starts at α = 1; after a rejection α goes to the minimum of the parabola through f, gᵀp and f⁺, kept
    between a tenth and a half of the last. Nothing protects it from a J that is nearly singular: where it stalls, use
    ``lm``.

    Reference: Björck, Numerical Methods for Least Squares Problems (1996), 9.2.
    """

    def start(self, linear: Linearization, D: Tensor, x: Tensor) -> float:
        return 1.0

    def propose(self, state: float, linear: Linearization, D: Tensor) -> Step:
        p = linear.full(D)
        fall = norm(linear.apply(p)) ** 2
        return Step(state * p, (state - 0.5 * state**2) * fall, state * norm(D * p))

    def learn(self, state: float, step: Step, outcome: Outcome) -> float:
        return 1.0 if outcome.accepted else state * min(max(outcome.turn, 0.1), 0.5)
