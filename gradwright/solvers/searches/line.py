"""Line: the objective along a direction, every evaluation kept."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import dot
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.objective import Objective, Point


class Trial:
    """One point x + αd of a line.

    Attributes:
        alpha, point, value: α, the evaluated point, φ(α).
    """

    def __init__(self, alpha: float, point: Point, direction: Tensor) -> None:
        self.alpha, self.point, self.value = alpha, point, point.value
        self._direction = direction

    @cached_property
    def usable(self) -> bool:
        return self.point.usable

    @cached_property
    def slope(self) -> float:
        """φ'(α) = ∇f(x + αd)ᵀd."""
        return dot(self.point.gradient, self._direction)


class Line:
    """φ(α) = f(x + αd) for α in (0, limit].

    Args:
        objective: evaluates.
        point: x.
        direction: d, with gᵀd < 0.
        limit: the largest α allowed.
        box: bounds that every target satisfies up to rounding.

    Attributes:
        value, slope: φ(0) and φ'(0).
        noise: values that differ by less are equal.
        trials: everything evaluated so far, by α.
    """

    def __init__(
        self, objective: Objective, point: Point, direction: Tensor, limit: float = math.inf, box: Bounds | None = None
    ) -> None:
        self.objective, self.point, self.direction, self.limit, self.box = objective, point, direction, limit, box
        self.value = point.value
        self.slope = dot(point.gradient, direction)
        self.noise = objective.noise(point.value)
        self.trials: dict[float, Trial] = {}

    def at(self, alpha: float) -> Trial:
        """Evaluate at α, or recall."""
        if alpha not in self.trials:
            self.trials[alpha] = Trial(alpha, self.objective.at(self.target(alpha)), self.direction)
        return self.trials[alpha]

    def target(self, alpha: float) -> Tensor:
        """x + αd, put back into the box where rounding left it."""
        target = self.point.x + alpha * self.direction
        return target if self.box is None else self.box.project(target)

    def moves(self, alpha: float) -> bool:
        """Whether any entry of x changes at α."""
        return math.isfinite(alpha) and not torch.equal(self.target(alpha).to(self.objective.dtype), self.point.flat)

    def best(self) -> Trial | None:
        """The lowest of the trials that improve on α = 0: by value, or at equal value by a flatter slope."""
        improving = [trial for trial in self.trials.values() if self._improves(trial)]
        return min(improving, key=lambda trial: trial.value, default=None)

    def _improves(self, trial: Trial) -> bool:
        if not trial.usable:
            return False
        if trial.value < self.value - self.noise:
            return True
        return trial.value <= self.value + self.noise and abs(trial.slope) < 0.9 * abs(self.slope)

    def agrees(self) -> bool:
        """Whether values and slopes tell the same story at the shortest trial that rises or falls by more than noise.

        φ(α) − φ(0) = ½ α (φ'(0) + φ'(α)) up to third order, if the gradient belongs to the function.
        """
        for alpha in sorted(self.trials):
            trial = self.trials[alpha]
            if not trial.usable or -alpha * self.slope <= 4 * self.noise:
                continue
            size = alpha * max(abs(self.slope), abs(trial.slope))
            return abs(trial.value - self.value - 0.5 * alpha * (self.slope + trial.slope)) <= self.noise + 0.5 * size
        return False
