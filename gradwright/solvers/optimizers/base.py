"""What the training-loop solvers share: batches, random numbers, the best point, saving and resuming."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gradwright.solvers.curvature import Curvature, FiniteDifference
from gradwright.solvers.linear.operator import LinearOperator
from gradwright.solvers.linear.vectors import norm
from gradwright.solvers.optimizers.info import StepInfo, StepStatus
from gradwright.solvers.optimizers.source import Randomness, TrainingSource, layout_of_parameters
from gradwright.solvers.problem.determinism import check_deterministic
from gradwright.solvers.problem.objective import Objective, Point
from gradwright.solvers.quasi_newton.memory import LBFGSMemory

Closure = Callable[[], Any]


class CurvatureOptimizer(torch.optim.Optimizer):
    """A ``torch.optim.Optimizer`` whose step is one outer iteration of a solver.

    ``step(closure)`` takes the training closure as it is (``zero_grad(); loss.backward(); return loss``), one that only
    returns the loss, or one that returns ``(loss, outputs)``. It leaves the gradient it used in ``.grad`` and returns a
    :class:`StepInfo`. Parameters may lie in several groups and on several devices, in one dtype. Every evaluation of a
    step draws the same random numbers from torch, so a dropout mask is part of the function that the step minimises;
    what changes between evaluations for other reasons is refused before the first step.

    Args:
        params: parameters or groups, as for any optimizer.
        check: evaluate twice before the first step and refuse a closure that gives two values.

    Class attributes:
        gradient_only: without ``curvature`` it asks for no product.
        group_settings: what a group may set.
    """

    gradient_only: ClassVar[bool] = False
    group_settings: ClassVar[tuple[str, ...]] = ()
    settings: dict[str, Any]

    def __init__(self, params: Iterable[Any], settings: dict[str, Any], check: bool = True) -> None:
        super().__init__(params, {})
        self.settings = settings
        self.memory: dict[str, Any] = {"steps": 0, "check": check, "best_value": math.inf, "best": None}
        layout_of_parameters(self.parameters)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, before the first step.

        Raises:
            ValueError: the group sets something that this optimizer does not know.
        """
        known = {"params", "param_names", *self.group_settings}
        unknown = sorted(set(param_group) - known)
        if unknown:
            can = f"a group may set {', '.join(self.group_settings)}" if self.group_settings else "groups set nothing"
            raise ValueError(f"{type(self).__name__} does not use {unknown[0]!r}, which a param group sets; {can}")
        super().add_param_group(param_group)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters that require gradients, in the order of the flat vector."""
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]

    @property
    def best_value(self) -> float:
        """The lowest value that any accepted or starting point had, by the function that judged it."""
        return self.memory["best_value"]

    def restore_best(self) -> float:
        """Put the best point back into the parameters and return its value.

        Raises:
            ValueError: no step was made yet.
        """
        if self.memory["best"] is None:
            raise ValueError("restore_best() before any step with a finite value; call step(closure) first")
        parameters = self.parameters
        TrainingSource(layout_of_parameters(parameters), parameters, lambda: None).place(self.memory["best"])
        return self.best_value

    def step(  # type: ignore[override]
        self, closure: Closure | None = None, *, curvature: Closure | None = None, evaluation: Closure | None = None
    ) -> StepInfo:
        """One outer iteration.

        Args:
            closure: the loss whose gradient is used.
            curvature: the loss whose curvature is used, of a smaller batch, say; by default that of ``closure``.
            evaluation: the loss by which trial points are judged, of a larger batch, say; by default ``closure``.

        Raises:
            ValueError: no closure, a GradScaler, or a closure whose gradient cannot be recorded.
            NotDeterministic: the closure gives two values at one point.
        """
        if closure is None:
            raise ValueError(
                f"{type(self).__name__}.step() needs a closure that evaluates the loss; give step(closure)"
            )
        if getattr(self, "grad_scale", None) is not None or getattr(self, "found_inf", None) is not None:
            raise ValueError(
                f"{type(self).__name__} cannot be stepped by a GradScaler, which scales the gradient and not the value "
                f"that trial points are judged by: call step(closure) yourself, under bfloat16 autocast if need be"
            )
        with torch.enable_grad():
            batches = Batches(self, closure, curvature, evaluation)
            try:
                info = self._iterate(batches)
            finally:
                batches.leave()
        self.memory["steps"] += 1
        return info

    _step_supports_amp_scaling = True  # so that a GradScaler reaches step() with its scale, and is refused there

    def _iterate(self, batches: Batches) -> StepInfo:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Groups as always, and under ``"solver"`` what the solver remembers, in its own precision."""
        return {**super().state_dict(), "solver": {key: _packed(value) for key, value in self.memory.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from ``state_dict()``.

        Raises:
            ValueError: the state belongs to another optimizer.
        """
        solver = state_dict.get("solver")
        if solver is None or set(solver) != set(self.memory):
            found = "no solver state" if solver is None else f"the state {sorted(solver)}"
            raise ValueError(f"state_dict holds {found}; give what {type(self).__name__}.state_dict() returned")
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "solver"})
        device = self.parameters[0].device
        self.memory = {key: _unpacked(value, device) for key, value in solver.items()}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "settings": self.settings, "memory": self.memory}


def _packed(value: Any) -> Any:
    """A copy that holds tensors and numbers only."""
    if isinstance(value, LBFGSMemory):
        return {"pairs": copy.deepcopy(vars(value))}
    return copy.deepcopy(value)


def _unpacked(value: Any, device: torch.device) -> Any:
    if isinstance(value, dict) and set(value) == {"pairs"}:
        pairs = LBFGSMemory.__new__(LBFGSMemory)
        vars(pairs).update(copy.deepcopy(value["pairs"]))
        pairs.s, pairs.y = pairs.s.to(device), pairs.y.to(device)
        return pairs
    return value.to(device, copy=True) if isinstance(value, Tensor) else value


class Batches:
    """The functions of one step: one gives the gradient, one the curvature, one judges. Often all are the same.

    Attributes:
        point: the gradient function at the parameters.
        base: the judging function there.
    """

    def __init__(
        self, owner: CurvatureOptimizer, closure: Closure, curvature: Closure | None, evaluation: Closure | None
    ) -> None:
        self.owner = owner
        parameters = owner.parameters
        layout = layout_of_parameters(parameters)
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
        memory = self.owner.memory
        if point.value < memory["best_value"]:
            memory["best_value"], memory["best"] = point.value, point.flat.clone()

    @torch.no_grad()
    def leave(self) -> None:
        """Parameters at the final point, the gradient in ``.grad``, the generators where one evaluation leaves them."""
        source = self.main.source
        source.place(self.final)  # type: ignore[attr-defined]
        point = getattr(self, "point", None)
        if point is not None and point.usable:
            parts = source.layout.split(point.gradient)
            for parameter, part in zip(self.owner.parameters, parts):
                parameter.grad = part.to(parameter).clone()
        self.randomness.leave()
