"""Batches: the up to three functions that one step of a training loop looks at."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from gradwright.solvers.curvature import Curvature, FiniteDifference
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.optimizers.groups import names_of
from gradwright.solvers.optimizers.info import StepInfo, StepStatus
from gradwright.solvers.optimizers.source import Randomness, TrainingSource, layout_of_parameters
from gradwright.solvers.problem.determinism import check_deterministic
from gradwright.solvers.problem.objective import Objective, Point

if TYPE_CHECKING:
    from gradwright.solvers.optimizers.base import CurvatureOptimizer

Closure = Callable[[], Any]


class Batches:
    """The functions of one step: one gives the gradient, one the curvature, one judges. Often all are the same.

    Attributes:
        parameters, layout: what is trained in this step, and where each lies in the flat vector.
        point: the gradient function at the parameters.
        base: the judging function there.
    """

    def __init__(
        self, owner: CurvatureOptimizer, closure: Closure, curvature: Closure | None, evaluation: Closure | None
    ) -> None:
        self.owner = owner
        parameters = self.parameters = owner.parameters
        layout = self.layout = layout_of_parameters(parameters, names_of(owner.param_groups))
        self.randomness = Randomness(parameters)
        hvp: Curvature | None = owner.settings.get("hvp")
        capture = not isinstance(hvp, FiniteDifference)

        def objective(function: Closure, hvp: Curvature | None) -> Objective:
            return Objective(TrainingSource(layout, parameters, function, capture, self.randomness), hvp)

        self.main = objective(closure, hvp if curvature is None and not owner.gradient_only else None)
        self.curved = self.main if curvature is None else objective(curvature, hvp)
        self.judge = self.main if evaluation is None else objective(evaluation, None)
        self.start = torch.cat([p.detach().reshape(-1).to(layout.device) for p in parameters]).clone()
        self.final = self.start
        if owner.memory["check"]:
            check_deterministic(lambda: float(self.main.source.evaluate(self.start).loss.detach()), self.main.eps)
            owner.memory["check"] = False
            self.main.budget.nfev += 2
        self.point = self.main.at(self.start)
        self.base = self.point if evaluation is None else self.judge.at(self.start)

    @property
    def same(self) -> bool:
        """Whether gradient and judgement are of one function."""
        return self.judge is self.main

    @cached_property
    def curvature_point(self) -> Point:
        """The function whose curvature is used, at the parameters."""
        return self.point if self.curved is self.main else self.curved.at(self.start)

    @property
    def hessian(self) -> LinearOperator:
        """Products with the curvature at the parameters."""
        return self.curvature_point.hessian

    def settle(self, point: Point) -> None:
        """Move to an accepted point of the judging function."""
        self.final = point.flat

    def info(self, status: StepStatus, after: float, ratio: float = math.nan, **more: Any) -> StepInfo:
        """What happened, with the counts of all functions."""
        objectives = {id(each): each for each in (self.main, self.curved, self.judge)}.values()
        size = norm(self.point.gradient) if self.point.usable else math.nan
        return StepInfo(
            status, self.point.value, self.base.value, after, size, ratio,
            sum(each.nfev for each in objectives), sum(each.njev for each in objectives),
            sum(each.nhev for each in objectives), **more,
        )  # fmt: skip

    def unusable(self) -> StepInfo | None:
        """The info of a step that cannot begin."""
        if not (self.point.usable and math.isfinite(self.base.value)):
            return self.info(StepStatus.NON_FINITE, self.base.value)
        if not norm(self.point.gradient) > 0:
            self.remember(self.base)
            return self.info(StepStatus.STATIONARY, self.base.value)
        self.remember(self.base)
        return None

    def remember(self, point: Point) -> None:
        """Keep the point if it is the best so far."""
        self.owner.remember(point.value, dict(zip(self.parameters, self.layout.split(point.flat))))

    @torch.no_grad()
    def leave(self) -> None:
        """Parameters at the final point, the gradient in ``.grad``, the generators where one evaluation leaves them."""
        source = self.main.source
        source.place(self.final)  # type: ignore[attr-defined]
        point = getattr(self, "point", None)
        if point is not None and "gradient" in vars(point) and point.usable:
            parts = source.layout.split(point.gradient)
            for parameter, part in zip(self.parameters, parts):
                parameter.grad = part.to(parameter).clone()
        self.randomness.leave()
