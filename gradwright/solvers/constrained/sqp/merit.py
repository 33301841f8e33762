"""The l1 merit function, and the search along a step that it judges."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gradwright.solvers.constrained.iterate import Iterate, Problem
from gradwright.solvers.constrained.sqp.subproblem import Model, Step, plain
from gradwright.solvers.linear.vectors import dot, largest_entry

TRIALS = 40


class L1Merit:
    """φ = f + Σ ρᵢ · violationᵢ with ρᵢ ≥ |λᵢ|, by Powell's rule: ρ ← max(1.1 |λ|, ½ (ρ + |λ|)).

    Args:
        problem: what is minimised.
        armijo: part of the predicted fall that a step must keep.
        ctol: violations up to this are none.
        like: a vector with an entry for each constraint.

    Attributes:
        penalties: ρ.
        predicted_reduction: by how much the last step should lower φ, beyond noise.
    """

    def __init__(self, problem: Problem, armijo: float, ctol: float, like: Tensor) -> None:
        self.problem, self.armijo, self.ctol = problem, armijo, ctol
        self.penalties = torch.zeros_like(like)
        self.predicted_reduction = 0.0

    def value(self, at: Iterate) -> float:
        return at.point.value + float((self.penalties * at.c.violations).sum())

    def search(self, at: Iterate, model: Model, step: Step, floor: Tensor) -> tuple[Iterate, float] | None:
        """The next iterate along d, or with a correction of second order, and α; None where φ does not fall.

        Args:
            at: where the step starts.
            model: of its program.
            step: d and multipliers.
            floor: of ρ, where violations had a price.
        """
        λ = torch.maximum(step.multipliers.rows.abs(), floor)
        self.penalties = torch.maximum(1.1 * λ, 0.5 * (self.penalties + λ))
        slope = dot(model.g, step.d) - float((self.penalties * (at.c.violations - model.left(step.d))).sum())
        spread = float((self.penalties * at.c.value.abs()).sum())
        noise = self.problem.objective.noise(at.point.value, spread)
        self.predicted_reduction = max(-slope - noise, 0.0)
        if slope > noise:
            return None
        slope, start = min(slope, 0.0), self.value(at)

        def falls(iterate: Iterate, alpha: float) -> bool:
            if self.value(iterate) > start + self.armijo * alpha * slope + noise:
                return False
            return -alpha * slope > noise or (not self.predicted_reduction and self._holds(at, iterate))

        return self._along(at, model, step.d, slope, start, falls)

    def _along(
        self, at: Iterate, model: Model, d: Tensor, slope: float, start: float, falls: Callable[[Iterate, float], bool]
    ) -> tuple[Iterate, float] | None:
        alpha = 1.0
        for trial in range(TRIALS):
            ahead = self.problem.at(at.point.x + alpha * d)
            if torch.equal(ahead.point.flat, at.point.flat):
                return None
            if not ahead.usable:
                alpha *= 0.2
                continue
            if falls(ahead, alpha):
                return ahead, alpha
            if trial == 0:
                corrected = self._corrected(at, model, ahead, d)
                if corrected is not None and falls(corrected, 1.0):
                    return corrected, 1.0
            excess = self.value(ahead) - start - alpha * slope
            best = -0.5 * slope * alpha * alpha / excess if excess > 0 else 0.5 * alpha
            alpha = min(max(best, 0.1 * alpha), 0.5 * alpha)
        return None

    def _corrected(self, at: Iterate, model: Model, ahead: Iterate, d: Tensor) -> Iterate | None:
        """The step again with the constraints' values at x + d: it undoes their curvature."""
        step = plain(model.shifted(ahead.c.value - at.c.value - at.c.jacobian @ d))
        if step is None or largest_entry(step.d - d) > 2 * largest_entry(d):
            return None
        iterate = self.problem.at(at.point.x + step.d)
        return iterate if iterate.usable else None

    def _holds(self, at: Iterate, ahead: Iterate) -> bool:
        """Where all that can be gained is noise: the violation does not grow."""
        return largest_entry(ahead.c.violations) <= max(largest_entry(at.c.violations), self.ctol)
