"""Levenberg-Marquardt in Moré's form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor

from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.residuals.linearization import Linearization
from gradwright.solvers.residuals.step import Outcome, Rule, Step

LEAST = 1e-24
"""λ that stands for none; columns have length one under D, so it moves nothing that J determines."""

CLOSE = 0.1
"""‖Dp‖ may miss Δ by this much of it."""

MOST = 20
"""Values of λ tried for one Δ."""


class Region(NamedTuple):
    """The radius Δ, and the λ of the last step."""

    radius: float
    damping: float = LEAST


@dataclass(frozen=True)
class LevenbergMarquardt(Rule):
    """``lm``: p minimises ‖Jp + r‖² + λ ‖Dp‖², D the largest norms that the columns of J have had (Moré 1978).

    λ is the one at which ‖Dp‖ = Δ to a tenth, zero if the Gauss-Newton step is shorter; it is found by the secant rule
    on 1/‖Dp(λ)‖, which is nearly linear in λ. The radius doubles after a good step and goes to the minimum of the
    parabola through f, gᵀp and f⁺ after a poor one. The step comes from a QR factorisation, not from JᵀJ, whose
    condition number is squared. Choosing Δ rather than λ follows curved valleys: with Nielsen's rule for λ, NIST's
    MGH10 takes more than 20,000 iterations from its hard start.

    With bounds p is the minimiser over the box, found by active sets, and everything else stays as it is.

    Args:
        radius: the first Δ, in units of ‖Dx₀‖.

    Reference: Moré, Lecture Notes in Mathematics 630 (1978).
    """

    takes_bounds: ClassVar[bool] = True

    radius: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.radius < math.inf:
            raise ValueError(f"radius={self.radius} must be positive; 1.0 is usual, less for a poor start")

    def start(self, linear: Linearization, D: Tensor, x: Tensor) -> Region:
        return Region(self.radius * (norm(D * x) or norm(linear.gradient / D) or 1.0))

    def propose(self, state: Region, linear: Linearization, D: Tensor) -> Step:
        radius = state.radius
        low, high = LEAST, max(norm(linear.gradient / D) / radius, 2 * LEAST)
        damping = min(max(state.damping, low), high)
        known: list[tuple[float, float]] = []
        best = None
        while True:
            p = linear.damped(damping, D)
            length = norm(D * p)
            step = Step(p, linear.fall(p, damping, D), length, damping)
            inside = length <= (1 + CLOSE) * radius
            if inside and (damping <= LEAST or length >= (1 - CLOSE) * radius):
                return step
            low, high, best = (low, damping, step) if inside else (damping, high, best)
            known.append((damping, length))
            if len(known) == MOST:
                return best or step
            damping = _next(known, radius, low, high)

    def learn(self, state: Region, step: Step, outcome: Outcome) -> Region:
        radius = state.radius
        if outcome.ratio < 0.25:
            radius = min(max(outcome.turn, 0.1), 0.5) * min(step.length, radius)
        elif outcome.ratio > 0.75:
            radius = max(radius, 2 * step.length)
        return Region(radius, step.damping)


def _next(known: list[tuple[float, float]], radius: float, low: float, high: float) -> float:
    """Secant rule on 1/‖Dp(λ)‖ = 1/Δ; every third time, and out of the bracket, its geometric middle."""
    middle = max(math.sqrt(low * high), 1e-4 * high)
    if len(known) % 3 == 1:
        return middle
    (a, first), (b, second) = known[-2:]
    rise = 1 / second - 1 / first if first > 0 and second > 0 else 0.0
    guess = b + (1 / radius - 1 / second) * (b - a) / rise if rise else middle
    if guess <= LEAST and low <= LEAST:
        return LEAST
    return guess if low < guess < high else middle
