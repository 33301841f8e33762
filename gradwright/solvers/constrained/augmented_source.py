"""The augmented Lagrangian of Powell, Hestenes and Rockafellar as a function that solvers can evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gradwright.solvers.constrained.constraint_set import Constrained, ConstraintSet
from gradwright.solvers.problem.evaluation import Evaluation
from gradwright.solvers.problem.layout import Layout
from gradwright.solvers.problem.sources import Source


@dataclass(frozen=True)
class AugmentedSource:
    """L(x) = (f / scale + ½ρ Σ ‖shifted violation‖²) / unit.

    With λ for the rows l ≤ c ≤ u: t = λ + ρ(c − u) where that is positive, λ + ρ(c − l) where that is negative, 0
    else, and L = (f / scale + (‖t‖² − ‖λ‖²) / 2ρ) / unit, whose gradient is (∇f / scale + Jᵀt) / unit.

    Args:
        source: of f.
        set: of c.
        multipliers: λ.
        rho: ρ.
        scale, unit: powers of two, which change no digit: the unit of the objective that λ is measured in, and one more
            that is near the size of the gradient of L.
    """

    name: ClassVar[str] = "the augmented Lagrangian"

    source: Source
    set: ConstraintSet
    multipliers: Tensor
    rho: float
    scale: float = 1.0
    unit: float = 1.0

    @property
    def layout(self) -> Layout:
        return self.source.layout

    def updated(self, c: Constrained) -> Tensor:
        """t(x): the multipliers that the gradient of L would have in the Lagrangian."""
        above = (self.multipliers + self.rho * (c.value - self.set.upper)).clamp(min=0)
        below = (self.multipliers + self.rho * (c.value - self.set.lower)).clamp(max=0)
        return above + below

    def evaluate(self, x: Tensor) -> Evaluation:
        evaluation, c = self.source.evaluate(x), self.set.at(x)
        t, λ = self.updated(c), self.multipliers
        value = (
            evaluation.loss.detach().double() / self.scale + ((t @ t - λ @ λ) / (2 * self.rho)).double()
        ) / self.unit

        def gradient() -> Tensor:
            slope = evaluation.gradient() / self.scale + (c.jacobian.T @ t).to(self.layout.dtype)
            return slope / self.unit

        return Evaluation(value.to(evaluation.loss.dtype), evaluation.leaves, None, given=gradient)
