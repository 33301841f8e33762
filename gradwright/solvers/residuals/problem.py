"""The least-squares problem as its solvers see it: a point gives residuals, cost and a linearisation."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import finite
from gradwright.solvers.problem.bounds import Bounds
from gradwright.solvers.problem.evaluation import Evaluation
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.problem.sources import ModuleSource
from gradwright.solvers.residuals import jacobian, robust
from gradwright.solvers.residuals.boxed import Boxed
from gradwright.solvers.residuals.linearization import Dense, Linearization, Products

LARGEST = 50_000_000
"""Entries of a Jacobian that is kept as a matrix without being asked for."""


def with_cost(residuals: Callable[..., Any], rho: robust.Rho, f_scale: float) -> Callable[..., tuple[Tensor, Tensor]]:
    """x ↦ (cost, r): the function that the solver evaluates."""

    @functools.wraps(residuals)
    def fun(*x: Any) -> tuple[Tensor, Tensor]:
        r = _flat(residuals(*x))
        return robust.cost(r.double() if r.dtype.itemsize < 4 else r, rho, f_scale), r

    return fun


def _flat(answer: Any) -> Tensor:
    parts = answer if isinstance(answer, (list, tuple)) else [answer]
    for part in parts:
        if not isinstance(part, Tensor):
            raise TypeError(f"residuals returned a {type(part).__name__}; return a tensor, or a tuple of tensors")
        if not part.is_floating_point():
            raise TypeError(f"residuals returned {part.dtype}; return real floating-point numbers")
    flat = torch.cat([part.reshape(-1) for part in parts]) if parts else torch.empty(0, device="cpu")
    if not flat.numel():
        raise ValueError("residuals returned no number; return at least one residual")
    return flat


@dataclass(frozen=True)
class Residuals:
    """Evaluates residuals and their Jacobian.

    Args:
        objective: of ``with_cost``; counts and limits.
        jac: (evaluation, r, flat x) ↦ J as a matrix.
        dense: whether J is formed, or only its products are used; None: formed up to ``LARGEST`` entries. With bounds
            it always is.
        rho, f_scale: the robust loss.
    """

    objective: Objective
    jac: Callable[[Evaluation, Tensor, Tensor], Tensor]
    dense: bool | None
    rho: robust.Rho
    f_scale: float

    @cached_property
    def box(self) -> Bounds | None:
        """The bounds, in the dtype of the solver."""
        box = self.objective.box
        return None if box is None else Bounds(self.objective.work(box.lower), self.objective.work(box.upper))

    def begin(self, x: Tensor) -> Fit:
        """The start, looked at twice where the residuals may be random; see :meth:`Objective.begin`."""
        return Fit(self, self.objective.begin(x, twice=isinstance(self.objective.source, ModuleSource)))

    def inside(self, x: Tensor) -> Tensor:
        """x, or the nearest point of the box where rounding brought it out."""
        return x if self.box is None else self.box.project(x)

    def at(self, x: Tensor) -> Fit:
        return Fit(self, self.objective.at(x))


class Fit:
    """The problem at one point.

    Attributes:
        point: its x, as the solver sees it and as it was evaluated, and its value, the cost.
        r: the residuals.
    """

    def __init__(self, problem: Residuals, point: Point) -> None:
        self.problem, self.point = problem, point
        self.r = problem.objective.work(point.evaluation.extras)
        self.x, self.cost = point.x, point.value

    @property
    def is_dense(self) -> bool:
        """Whether J is formed."""
        dense = True if self.problem.box is not None else self.problem.dense
        return self.x.numel() * self.r.numel() <= LARGEST if dense is None else dense

    @cached_property
    def jacobian(self) -> Tensor:
        """J (m, n) without weights."""
        problem, point = self.problem, self.point
        problem.objective.njev += 1
        return problem.objective.work(problem.jac(point.evaluation, point.evaluation.extras, point.flat))

    @cached_property
    def linear(self) -> Linearization:
        """J and r, weighted by the robust loss."""
        problem = self.problem
        rows, scaled = robust.weights(self.r, problem.rho, problem.f_scale)
        if self.is_dense:
            dense = Dense(rows[:, None] * self.jacobian, scaled * self.r)
            box = problem.box
            return dense if box is None else Boxed(dense, box.lower - self.x, box.upper - self.x)
        J, objective = jacobian.products(self.point.evaluation, self.point.evaluation.extras), problem.objective
        dtype = objective.dtype

        def forward(v: Tensor) -> Tensor:
            objective.nhev += 1
            return rows * objective.work(J @ v.to(dtype))

        def backward(u: Tensor) -> Tensor:
            objective.nhev += 1
            return objective.work(J.T @ (rows * u).to(self.point.evaluation.extras.dtype))

        return Products(type(J)(J.shape, forward, backward), scaled * self.r)

    @property
    def gradient(self) -> Tensor:
        return self.linear.gradient

    @cached_property
    def usable(self) -> bool:
        """Whether cost, residuals and gradient are finite."""
        return math.isfinite(self.cost) and finite(self.r) and finite(self.gradient) and finite(self.linear.columns)
