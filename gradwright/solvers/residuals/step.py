"""What a method of least squares is: proposes steps of the linearised problem, and learns how well they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from gradwright.solvers.residuals.linearization import Linearization


class Step(NamedTuple):
    """A step p, the decrease of ½‖r‖² that the linearised residuals expect, its length ‖Dp‖, and λ if it has one."""

    p: Tensor
    reduction: float
    length: float
    damping: float = 0.0


class Outcome(NamedTuple):
    """How a step did.

    Attributes:
        ratio: ρ = actual / expected decrease; −∞ where a trial is not finite.
        turn: where along the step, as a fraction of it, the parabola through f, gᵀp and f⁺ has its minimum.
        accepted: whether it was made.
    """

    ratio: float
    turn: float
    accepted: bool


@dataclass(frozen=True)
class Rule:
    """A method of least squares. What it remembers is its state; the rule itself never changes.

    Class attributes:
        takes_bounds: its steps are ``damped`` and ``full`` ones of the linearisation, which know the box.
    """

    takes_bounds: ClassVar[bool] = False

    def start(self, linear: Linearization, D: Tensor, x: Tensor) -> Any:
        """The state before the first step."""
        raise NotImplementedError

    def propose(self, state: Any, linear: Linearization, D: Tensor) -> Step:
        """The step to try. It is asked again at the same point after a rejection."""
        raise NotImplementedError

    def learn(self, state: Any, step: Step, outcome: Outcome) -> Any:
        """The state after a trial."""
        raise NotImplementedError
