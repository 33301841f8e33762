"""OWL-QN: limited-memory BFGS for a smooth function plus an L1 penalty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import dot, largest_entry, norm
from gradwright.solvers.outcome.status import Status
from gradwright.solvers.outcome.trace import Callback
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.quasi_newton.memory import LBFGSMemory
from gradwright.solvers.run.method import Method
from gradwright.solvers.run.monitor import Monitor
from gradwright.solvers.searches.first_step import first_length


@dataclass(frozen=True)
class OWLQN(Method):
    """``owl-qn``: minimise F = f + Σ λᵢ|xᵢ|; ``fun`` computes the smooth f alone.

    The pseudo-gradient ◇F is the gradient of the orthant that descent would enter: gᵢ + λᵢ sign xᵢ, and at xᵢ = 0
    gᵢ + λᵢ if negative, gᵢ − λᵢ if positive, else 0. The direction −H ◇F, with H from pairs of the smooth part, keeps
    only entries that agree with −◇F; a trial is clipped to its orthant, so entries become exactly zero. It is accepted
    if F(x⁺) ≤ F(x) + c ◇Fᵀ(x⁺ − x). Where the aligned direction finds nothing, −◇F is tried with an empty memory.

    ``result.fun`` is F, and the gradient that has to vanish is ◇F.

    Args:
        l1: λ ≥ 0: a number, or numbers in the form of x0 (0 for biases).
        memory: pairs kept.
        decrease: c.

    Reference: Andrew and Gao, ICML 2007.
    """

    l1: Any = 0.0
    memory: int = 10
    decrease: float = 1e-4

    def monitor(self, objective: Objective, gtol: float, callback: Callback | None) -> Monitor:
        weights = self._weights(objective)
        return Monitor(
            objective,
            gtol,
            callback,
            measure=lambda point: largest_entry(pseudo_gradient(point.x, point.gradient, weights)),
            value=lambda point: _total(point, weights),
        )

    def _weights(self, objective: Objective) -> Tensor:
        weights = objective.work(objective.source.layout.flatten(self.l1, "l1", fill=0.0))
        if not bool((weights >= 0).all()) or not bool(weights.isfinite().all()):
            raise ValueError(f"l1={self.l1} has negative or infinite entries; give numbers ≥ 0")
        return weights / objective.unit

    def solve(self, objective: Objective, start: Point, monitor: Monitor) -> Status:
        weights = self._weights(objective)
        point, memory = start, LBFGSMemory(objective.size, self.memory, start.x)
        reach = first_length(point.x)
        status = monitor.accept(point)
        while status is None:
            slope = pseudo_gradient(point.x, point.gradient, weights)
            d, first = -memory.apply_inverse(slope), 1.0
            d = torch.where((d * slope < 0) | (weights == 0), d, 0.0)
            if not len(memory):
                first = reach / norm(slope)
            trial = self._search(objective, point, slope, d, first, weights)
            if trial is None:
                if not len(memory):
                    return monitor.blocked(first * dot(slope, slope))
                memory.clear()
                continue
            if trial.value == -math.inf:
                return Status.UNBOUNDED
            reach = max(reach, 5 * norm(trial.x - point.x))  # used while no pair shows positive curvature
            memory.push(trial.x - point.x, trial.gradient - point.gradient, objective.eps)
            point.release()
            point = trial
            status = monitor.accept(point)
        return status

    def _search(
        self, objective: Objective, point: Point, slope: Tensor, d: Tensor, first: float, weights: Tensor
    ) -> Point | None:
        """Backtrack along the path x + αd clipped to the orthant of x, or of −◇F where x is zero."""
        orthant = torch.where(point.x != 0, point.x.sign(), -slope.sign())
        value, alpha = _total(point, weights), first
        for _ in range(60):
            target = point.x + alpha * d
            target = torch.where(target * orthant > 0, target, torch.where(weights > 0, 0.0, target))
            if torch.equal(target.to(objective.dtype), point.flat):
                return None
            trial = objective.at(target)
            if trial.value == -math.inf:
                return trial
            if math.isfinite(trial.value):
                total = _total(trial, weights)
                expected = dot(slope, trial.x - point.x)
                noise = objective.noise(value, total)
                if total <= value + self.decrease * expected + noise and trial.usable:
                    lower = total < value - noise
                    flatter = norm(pseudo_gradient(trial.x, trial.gradient, weights)) < norm(slope)
                    return trial if lower or flatter else None
            alpha *= 0.5 if math.isfinite(trial.value) else 0.1
        return None


def pseudo_gradient(x: Tensor, gradient: Tensor, weights: Tensor) -> Tensor:
    """The gradient of f + Σ λᵢ|xᵢ| from the side on which it descends; zero where neither side does."""
    at_zero = torch.where(
        gradient + weights < 0, gradient + weights, torch.where(gradient > weights, gradient - weights, 0.0)
    )
    return torch.where(x == 0, at_zero, gradient + weights * x.sign())


def _total(point: Point, weights: Tensor) -> float:
    return point.value + dot(weights, point.x.abs())
