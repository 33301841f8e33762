"""Where SQP takes the matrix of its quadratic programs from: second derivatives, or the steps that it made."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from gradwright.solvers.constrained.iterate import Iterate, Problem
from gradwright.solvers.constrained.kkt import Multipliers
from gradwright.solvers.constrained.sqp.convexify import convexified, damped_bfgs
from gradwright.solvers.constrained.sqp.subproblem import Step
from gradwright.solvers.linear.vectors import finite, largest_entry, norm


class LagrangianHessian(ABC):
    """A positive definite B in place of ∇²L."""

    @abstractmethod
    def matrix(self, at: Iterate, multipliers: Multipliers) -> Tensor:
        """B at an iterate."""

    def corrected(self, step: Step) -> Step:
        """The step with multipliers of the problem, where those of the program are others because of B."""
        return step

    @abstractmethod
    def learn(self, at: Iterate, ahead: Iterate, multipliers: Multipliers, alpha: float) -> None:
        """The part α of a step was made."""

    @abstractmethod
    def distrust(self) -> None:
        """A search along the step of this matrix failed."""


class Exact(LagrangianHessian):
    """∇²f + Σ λᵢ∇²cᵢ, made positive definite; a multiple of the identity is added where steps turn out too long."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.damping = 0.0

    def matrix(self, at: Iterate, multipliers: Multipliers) -> Tensor:
        x, g = at.point.x, at.point.gradient
        eye = torch.eye(len(x), dtype=x.dtype, device=x.device)
        H = at.point.hessian.dense(x)
        H = 0.5 * (H + H.T) + at.c.hessian(multipliers.rows)
        if not finite(H):
            H = eye
        flat = norm(g) / max(1.0, norm(x))  # the curvature that would make a step as long as x
        H = H + eye * (self.damping * max(largest_entry(H), 1e-8 * flat, 1e-300))
        if largest_entry(H) < 1e-6 * flat:
            H = H + eye * (1e-3 * flat)
        self.rows, self.bounds = self._active(at, multipliers)
        self.convex = convexified(H, torch.cat([at.c.jacobian[self.rows], eye[self.bounds]]))
        return self.convex.matrix

    def corrected(self, step: Step) -> Step:
        """Multipliers without what the term σ WᵀW added to them."""
        if not self.convex.sigma:
            return step
        rows, bounds, shift = self.rows, self.bounds, self.convex.shift(step.d)
        count = int(rows.sum())
        λ, ν = step.multipliers.rows.clone(), step.multipliers.bounds.clone()
        fixed = self.problem.set.lower == self.problem.set.upper
        λ[rows] = λ[rows] + shift[:count] * ((λ[rows] != 0) | fixed[rows])
        ν[bounds] = ν[bounds] + shift[count:] * (ν[bounds] != 0)
        return Step(step.d, Multipliers(λ, ν), step.elastic)

    def learn(self, at: Iterate, ahead: Iterate, multipliers: Multipliers, alpha: float) -> None:
        if alpha >= 0.5:
            self.damping = self.damping / 10 if self.damping > 1e-4 else 0.0
        elif alpha < 0.1:
            self.damping = min(max(10 * self.damping, 1e-3), 1e4)

    def distrust(self) -> None:
        self.damping = max(100 * self.damping, 1e-2)

    def _active(self, at: Iterate, multipliers: Multipliers) -> tuple[Tensor, Tensor]:
        """Which rows, and which bounds, act as equalities."""
        set = self.problem.set
        rows = (set.lower == set.upper) | (multipliers.rows != 0)
        return rows & (at.c.jacobian.norm(dim=-1) > 0), multipliers.bounds != 0


class Damped(LagrangianHessian):
    """Powell's damped BFGS on ∇L(·, λ⁺), with the same λ⁺ at both ends of a step."""

    def __init__(self) -> None:
        self.B: Tensor | None = None
        self.fresh = True
        self.failed = False

    def matrix(self, at: Iterate, multipliers: Multipliers) -> Tensor:
        if self.B is None:
            x, g = at.point.x, at.point.gradient
            self.B = torch.eye(len(x), dtype=x.dtype, device=x.device) * max(
                1.0, norm(g) / max(1.0, norm(x)) if self.failed else 0.0
            )
        return self.B

    def learn(self, at: Iterate, ahead: Iterate, multipliers: Multipliers, alpha: float) -> None:
        s = ahead.point.x - at.point.x
        y = ahead.point.gradient - at.point.gradient + (ahead.c.jacobian - at.c.jacobian).T @ multipliers.rows
        assert self.B is not None
        self.B = damped_bfgs(self.B, s, y, self.fresh)
        self.fresh = self.failed = False

    def distrust(self) -> None:
        self.B, self.fresh, self.failed = None, True, True
