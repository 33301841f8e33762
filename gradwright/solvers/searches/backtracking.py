"""Backtracking: shorten the step until the value has fallen enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradwright.solvers.searches.base import Search
from gradwright.solvers.searches.line import Line, Trial


@dataclass(frozen=True)
class Backtracking(Search):
    """Armijo's rule φ(α) ≤ φ(0) + c α φ'(0) + noise, α from the parabola through φ(0), φ'(0), φ(α).

    Trials that fail cost a value and no gradient.

    Args:
        decrease: c.
        shortest, longest: a new α lies between these fractions of the old one.
        max_trials: evaluations at most.
    """

    decrease: float = 1e-4
    shortest: float = 0.1
    longest: float = 0.5
    max_trials: int = 60

    def __call__(self, line: Line, first: float) -> Trial | None:
        alpha = min(first, line.limit)
        for _ in range(self.max_trials):
            if not line.moves(alpha):
                return None
            trial = line.at(alpha)
            finite = math.isfinite(trial.value)
            if finite and trial.value <= line.value + self.decrease * alpha * line.slope + line.noise and trial.usable:
                drowned = -alpha * line.slope <= line.noise
                return trial if not drowned or line.best() is not None else None
            shrink = 0.2
            if finite:
                excess = trial.value - line.value - alpha * line.slope
                shrink = -0.5 * alpha * line.slope / excess if excess > 0 else self.longest
            alpha *= min(max(shrink, self.shortest), self.longest)
        return line.best()
