"""Status: why a solver stopped, each with the sentence that explains it."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """Why a solver stopped. ``status.sentence`` explains it; ``status.success`` is true for the converged ones only.

    >>> Status.MAX_EVALUATIONS.success
    False
    """

    CONVERGED_GRADIENT = "The gradient is as small as gtol asks."
    CONVERGED_VALUE = "No step improves the value in this precision, and the gradient is as small as gtol asks."
    CONVERGED_STEP = "The full, undamped step to the solution of the model is as small as xtol asks."
    NOISE_FLOOR = (
        "No step improves the value in this precision, but the gradient is above what gtol allows: rescale the "
        "problem, compute in float64, or ask for a larger gtol."
    )
    STALLED = "The search found no better point although the model promised one: check the gradient for errors."
    MAX_ITERATIONS = "The iterations allowed by maxiter are used up."
    MAX_EVALUATIONS = "The evaluations allowed by maxfev are used up."
    MAX_SECONDS = "The time allowed by max_seconds is used up."
    STOPPED = "The callback asked to stop."
    NON_FINITE = "The value or the gradient is not finite at the starting point."
    NOT_DETERMINISTIC = (
        "The function gives different values at the same point, so steps cannot be judged: fix its random numbers "
        "(dropout, batches drawn inside)."
    )
    UNBOUNDED = "The value falls without end: the problem seems to be unbounded below."
    NO_ROOT = (
        "The size of f has a minimum above zero here, or cannot fall in this precision: this is no root; start "
        "elsewhere, or see whether the equations contradict each other."
    )
    INFEASIBLE = (
        "No point was found that satisfies the constraints; of those seen, the one returned violates them least."
    )

    @property
    def success(self) -> bool:
        """Whether this is convergence."""
        return self.name.startswith("CONVERGED")

    @property
    def sentence(self) -> str:
        """What to tell the user."""
        return self.value
