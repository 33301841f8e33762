"""What a fit answers beside coefficients: how it ended, how far from the optimum it can be at most, and its history."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum


class Status(str, Enum):
    """How a fit ended."""

    converged = "converged"
    max_iter = "max_iter"
    float_limit = "float_limit"
    separated = "separated"
    line_search = "line_search"
    interrupted = "interrupted"
    overflow = "overflow"

    def __str__(self) -> str:
        return self.value

    @property
    def sentence(self) -> str:
        """What it means."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.converged: "the optimum is reached within tol",
    Status.max_iter: "max_iter iterations were made before tol was reached; raise max_iter",
    Status.float_limit: "rounding stops progress short of tol; give X as float64, or a larger tol",
    Status.separated: "rows can be separated by their class without error, so that without a penalty there is no "
    "optimum; add an L2 penalty, and see diagnose for the columns",
    Status.line_search: "no step lowers the objective and yet tol is not reached; see fallbacks",
    Status.interrupted: "the fit was stopped; coefficients are those of the best point so far",
    Status.overflow: "a coefficient, the objective or its gap is beyond the range of float64, so that nothing is "
    "proven; give y and X in other units",
}


@dataclass(frozen=True)
class Record:
    """One iteration: objective, largest entry of the gradient, step taken, passes over X so far, seconds so far."""

    objective: float
    gradient: float
    step: float
    evaluations: int
    seconds: float


@dataclass
class FitResult:
    """The certificate of a fit.

    Attributes:
        status: how it ended.
        objective: F at the answer: mean loss plus penalty. A loss with log link counts half the deviance.
        gap_bound: F less its minimum is at most this, rounding counted; never an estimate.
        history: a ``Record`` per iteration.
        evaluations: passes over X, products with the Hessian included.
        seconds: wall clock.
        fallbacks: what was tried when plainer means were not enough, in order, in words.
        notes: what else is known, in words.
    """

    status: Status
    objective: float
    gap_bound: float
    history: list[Record] = field(default_factory=list)
    evaluations: int = 0
    seconds: float = 0.0
    fallbacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def relative_gap_bound(self) -> float:
        """``gap_bound`` over the objective: what ``tol`` bounds."""
        if not (math.isfinite(self.objective) and math.isfinite(self.gap_bound)):
            return math.inf
        return self.gap_bound / self.objective if self.objective > 0 else self.gap_bound

    def __str__(self) -> str:
        lines = [
            f"{self.status}: {self.status.sentence}",
            f"objective {self.objective:.10g}, at most {self.gap_bound:.2g} above the optimum "
            f"(relative {self.relative_gap_bound:.2g})",
            f"{len(self.history)} iterations, {self.evaluations} passes over X, {self.seconds:.3g} s",
            *(f"fallback: {step}" for step in self.fallbacks),
            *(f"note: {note}" for note in self.notes),
        ]
        return "\n".join(lines)
