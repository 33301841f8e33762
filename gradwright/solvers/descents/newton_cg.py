"""Truncated Newton: conjugate gradients on the Newton equations, with a way out along negative curvature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.solvers.curvature.preconditioners import Preconditioner, preconditioner_of
from gradwright.solvers.descents.base import Descent, Direction, steepest
from gradwright.solvers.linear.vectors import dot, norm
from gradwright.solvers.problem.objective import Objective, Point


@dataclass
class State:
    """What is remembered between iterations: the largest gradient norm, and what the preconditioner keeps."""

    preconditioner: Preconditioner | None
    memory: Any
    largest: float = 0.0


@dataclass(frozen=True)
class NewtonCG(Descent):
    """d ≈ −H⁻¹g by conjugate gradients, stopped at ‖r‖ ≤ min(forcing, √(‖g‖ / ‖g₀‖)) ‖g‖.

    Where CG meets a direction c whose curvature κ = cᵀHc is not positive by more than rounding, it adds
    c · rᵀM⁻¹r / |κ|, the step as it would be if the curvature were turned round, no longer than max(‖p‖, 1, ‖x‖), and
    stops. gᵀc < 0, so the direction is downhill; stopping without c would leave curved valleys one step at a time.

    Args:
        forcing: η.
        max_cg: products in one iteration at most (2n, between 20 and 1,000).
        precondition: a :class:`Preconditioner` or its name; residuals are then measured in ‖·‖_{M⁻¹}.

    Reference: Dembo and Steihaug, Math. Program. 26 (1983).
    """

    needs_curvature: ClassVar[bool] = True

    forcing: float = 0.1
    max_cg: int | None = None
    precondition: str | Preconditioner | None = None

    def start(self, objective: Objective) -> State:
        preconditioner = preconditioner_of(self.precondition)
        return State(preconditioner, preconditioner.start() if preconditioner else None)

    def direction(self, state: State, point: Point) -> Direction:
        g, H, solve = point.gradient, point.hessian, lambda r: r
        if state.preconditioner is not None:
            metric, state.memory = state.preconditioner.at(state.memory, point)
            solve = metric.solve
        p, r = torch.zeros_like(g), g
        z = solve(r)
        d, gamma = -z, dot(r, z)
        if not gamma > 0:  # out of range
            return steepest(point)
        size = math.sqrt(gamma)
        state.largest = max(state.largest, size)
        goal = min(self.forcing, math.sqrt(size / state.largest)) * size
        for index in range(self.max_cg or min(max(2 * g.numel(), 20), 1000)):
            product = H @ d
            kappa = dot(d, product)
            if not kappa > 10 * point.objective.eps * dot(d.abs(), product.abs()):
                if index:
                    cap = max(norm(p), 1.0, norm(point.x)) / norm(d)
                    return Direction(p + min(gamma / abs(kappa) if kappa else cap, cap) * d)
                return Direction(d, gamma / abs(kappa)) if kappa else steepest(point)
            alpha = gamma / kappa
            p, r = p + alpha * d, r + alpha * product
            z = solve(r)
            fresh = dot(r, z)
            if math.sqrt(max(fresh, 0.0)) <= goal:
                break
            d, gamma = (fresh / gamma) * d - z, fresh
        return Direction(p)
