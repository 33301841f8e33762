"""Powell's dogleg."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from gradwright.solvers.linear.vectors import dot, norm
from gradwright.solvers.residuals.linearization import Linearization
from gradwright.solvers.residuals.step import Outcome, Rule, Step


@dataclass(frozen=True)
class Dogleg(Rule):
    """``dogleg``: inside ‖Dp‖ ≤ Δ, along the path from 0 to the Cauchy point to the Gauss-Newton point.

    Two systems are solved at each iterate, none after a rejection. It follows the Gauss-Newton step wherever it fits,
    so it suffers where J is nearly singular; ``lm`` does not.

    Args:
        radius: the first Δ, in units of ‖Dx₀‖ (of the Cauchy step where x₀ = 0).

    Reference: Powell, in Numerical Methods for Nonlinear Algebraic Equations (1970).
    """

    radius: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.radius < math.inf:
            raise ValueError(f"radius={self.radius} must be positive; 1.0 is usual")

    def start(self, linear: Linearization, D: Tensor, x: Tensor) -> float:
        size = norm(D * x)
        return self.radius * (size or norm(D * _cauchy(linear, D)) or 1.0)

    def propose(self, state: float, linear: Linearization, D: Tensor) -> Step:
        p = self._within(state, linear, D)
        return Step(p, -dot(linear.gradient, p) - 0.5 * norm(linear.apply(p)) ** 2, norm(D * p))

    @staticmethod
    def _within(radius: float, linear: Linearization, D: Tensor) -> Tensor:
        newton = linear.full(D)
        if norm(D * newton) <= radius:
            return newton
        cauchy = _cauchy(linear, D)
        short = norm(D * cauchy)
        if short >= radius:
            return cauchy * (radius / short)
        leg = newton - cauchy
        a, b, room = norm(D * leg) ** 2, dot(D * cauchy, D * leg), radius**2 - short**2
        root = math.sqrt(b * b + a * room)
        return cauchy + leg * (room / (b + root) if b > 0 else (root - b) / a)

    def learn(self, state: float, step: Step, outcome: Outcome) -> float:
        if outcome.ratio < 0.25:
            return min(max(outcome.turn, 0.1), 0.5) * step.length
        if outcome.ratio > 0.75 and step.length >= 0.99 * state:
            return (2.5 if outcome.ratio > 0.9 else 2.0) * state
        return state


def _cauchy(linear: Linearization, D: Tensor) -> Tensor:
    """The minimiser of ‖Jp + r‖ along steepest descent in the metric D."""
    downhill = -linear.gradient / D**2
    curvature = norm(linear.apply(downhill)) ** 2
    return downhill * (norm(D * downhill) ** 2 / curvature) if curvature > 0 else downhill
