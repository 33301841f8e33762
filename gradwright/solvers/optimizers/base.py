"""What the training-loop solvers share: a step from closures, the best point, saving and resuming."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gradwright.solvers.optimizers.batches import Batches, Closure
from gradwright.solvers.optimizers.info import StepInfo
from gradwright.solvers.optimizers.source import TrainingSource, layout_of_parameters
from gradwright.solvers.quasi_newton.memory import LBFGSMemory


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
