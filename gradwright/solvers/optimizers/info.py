"""What one step of a training-loop solver did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class StepStatus(Enum):
    """How a step ended. ``status.sentence`` explains it."""

    ACCEPTED = "The parameters moved to a better point."
    REJECTED = "No trial was good enough; the parameters stay, and the next step will be more careful."
    NOISE_FLOOR = "No step improves the value in this precision; the parameters stay."
    STATIONARY = "The gradient is zero; the parameters stay."
    NON_FINITE = "The value or the gradient is not finite at the parameters; they stay."

    @property
    def sentence(self) -> str:
        """What to tell the user."""
        return self.value


@dataclass(frozen=True)
class StepInfo:
    """What one outer iteration did.

    Attributes:
        status: how it ended.
        loss: the value that ``closure`` gave at the start.
        value, value_after: f before and after, by ``evaluation`` where one is given, else by ``closure``.
        gradient: ‖g‖ at the start.
        ratio: actual decrease over expected decrease of the last trial; NaN where there was none.
        nfev, njev, nhev: closure calls, gradients and curvature products of this step.
        radius: of the trust region, for the next step.
        damping: λ, for the next step.
        alpha: the step length that the search chose.
        negative_curvature: whether CG met a direction along which the model is not convex.
    """

    status: StepStatus
    loss: float
    value: float
    value_after: float
    gradient: float
    ratio: float
    nfev: int
    njev: int
    nhev: int
    radius: float | None = None
    damping: float | None = None
    alpha: float | None = None
    negative_curvature: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the parameters moved."""
        return self.status is StepStatus.ACCEPTED

    def __float__(self) -> float:
        return self.loss

    def __str__(self) -> str:
        return (
            f"{self.status.name}: f {self.value:.6g} -> {self.value_after:.6g}, ratio {self.ratio:.3g}, "
            f"{self.nfev} evaluations, {self.nhev} products"
        )
