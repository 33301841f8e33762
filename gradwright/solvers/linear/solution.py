"""What a linear solver returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Solution:
    """The answer of a linear solver.

    Attributes:
        x: the solution.
        residual: ‖b − Ax‖ / ‖b‖ (for least squares ‖Aᵀ(b − Ax)‖ / ‖Aᵀb‖), as the recurrence knows it.
        iterations: products with A.
        converged: whether the residual reached the tolerance.
        reason: one sentence.
        direction: for CG, the direction of curvature that is not positive, if one was met.
    """

    x: Tensor
    residual: float
    iterations: int
    converged: bool
    reason: str
    direction: Tensor | None = None
