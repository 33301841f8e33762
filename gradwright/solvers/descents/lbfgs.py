"""Limited-memory BFGS."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradwright.solvers.descents.base import Descent, Direction, steepest
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.quasi_newton.memory import LBFGSMemory


@dataclass(frozen=True)
class LBFGS(Descent):
    """d = −Hg with H from the last ``memory`` pairs s = x⁺ − x, y = g⁺ − g, in compact form.

    A pair enters only if sᵀy is positive by more than rounding relative to ‖s‖ ‖y‖, so H stays positive definite and d
    downhill whatever the line search accepted.

    Args:
        memory: pairs kept; 5 to 20.

    Reference: Liu and Nocedal, Math. Program. 45 (1989); Byrd, Nocedal and Schnabel, Math. Program. 63 (1994).
    """

    memory: int = 10

    def start(self, objective: Objective) -> LBFGSMemory | None:
        if self.memory < 1:
            raise ValueError(f"memory={self.memory} keeps no pair; give at least 1")
        return None

    def direction(self, state: LBFGSMemory | None, point: Point) -> Direction:
        return steepest(point) if state is None or not len(state) else Direction(-state.apply_inverse(point.gradient))

    def learn(self, state: LBFGSMemory | None, old: Point, new: Point, d: Tensor) -> LBFGSMemory:
        if state is None:
            state = LBFGSMemory(old.x.numel(), self.memory, old.x)
        state.push(new.x - old.x, new.gradient - old.gradient, old.objective.eps)
        return state
