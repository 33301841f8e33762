"""BFGS with the full inverse Hessian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.solvers.descents.base import Descent, Direction, steepest
from gradwright.solvers.linear.vectors import dot, norm, significant
from gradwright.solvers.problem.objective import Objective, Point

LARGEST = 20_000
"""Unknowns up to which an n × n matrix is kept."""


@dataclass(frozen=True)
class BFGS(Descent):
    """d = −Hg with the dense H ← (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ, ρ = 1/sᵀy; n² numbers.

    H starts as ‖x‖² / 2(f₀ − f₁) times I after the first step, or as sᵀy / yᵀy where that is more: too large an H is
    put right by one short step, while the usual sᵀy / yᵀy, which comes from the steepest direction, is far too small
    along the gentle ones of a badly scaled problem. A pair whose sᵀy is not positive by more than rounding is skipped.
    """

    def start(self, objective: Objective) -> Tensor | None:
        if objective.size > LARGEST:
            raise ValueError(f"bfgs would keep a matrix of {objective.size}² numbers; use method='l-bfgs'")
        return None

    def direction(self, state: Tensor | None, point: Point) -> Direction:
        return steepest(point) if state is None else Direction(-(state @ point.gradient))

    def learn(self, state: Tensor | None, old: Point, new: Point, d: Tensor) -> Tensor | None:
        s, y = new.x - old.x, new.gradient - old.gradient
        length, change = norm(s), norm(y)
        if not (0 < length < math.inf and 0 < change < math.inf):
            return state
        s, y, unit = s / length, y / change, length / change  # of length one, so that no product leaves the range
        sy = dot(s, y)
        if not (significant(sy, s, y, old.objective.eps) and 0 < unit < math.inf):
            return state
        if state is None:
            state = torch.eye(s.numel(), dtype=s.dtype, device=s.device) * _first_scale(old, new, sy * unit)
        hy = state @ y
        grown = torch.outer(s, s) * ((unit + dot(y, hy) / sy) / sy)
        return state + grown - (torch.outer(hy, s) + torch.outer(s, hy)) / sy


def _first_scale(old: Point, new: Point, shortest: float) -> float:
    """The multiple of I to start from: ‖x‖² / 2(f₀ − f₁), or sᵀy / yᵀy where that is more."""
    fall = old.value - new.value
    size = max(1.0, norm(new.x))
    if not fall > old.objective.noise(old.value):
        return shortest
    return max(shortest, 0.5 * size * size / fall)
