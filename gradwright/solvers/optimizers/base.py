"""What the training-loop solvers share: a step from closures, the best point, saving and resuming."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gradwright.solvers.optimizers.batches import Batches, Closure
from gradwright.solvers.optimizers.groups import OF_THE_MODEL, Group, names_of, refuse_twice
from gradwright.solvers.optimizers.info import StepInfo
from gradwright.solvers.optimizers.saved import Entries, packed, restored
from gradwright.solvers.optimizers.source import layout_of_parameters


class CurvatureOptimizer(torch.optim.Optimizer):
    """A ``torch.optim.Optimizer`` whose step is one outer iteration of a solver.

    ``step(closure)`` takes the training closure as it is (``zero_grad(); loss.backward(); return loss``), one that only
    returns the loss, or one that returns ``(loss, outputs)``. It leaves the gradient it used in ``.grad`` and returns a
    :class:`StepInfo`. Parameters may lie in several groups and on several devices, in one dtype. Every evaluation of a
    step draws the same random numbers from torch, so a dropout mask is part of the function that the step minimises;
    what changes between evaluations for other reasons is refused before the first step.

    The gradient is that of the loss. A closure may read it in ``.grad`` after ``loss.backward()``, at the price of one
    more gradient; one that changes it there (clipping that clips, decay by hand) is refused, for a step made from one
    function and judged by another does what neither asks for: penalties belong into the loss. A hook on a parameter may
    set entries to zero, or look on. Gradients that are not made by ``Tensor.backward`` need
    ``hvp="finite-difference"``, which takes them as they are.

    What it remembers belongs to parameters, not to places: they may be frozen, unfrozen and added between steps. There
    is no learning rate, so a scheduler of one is refused.

    Args:
        params: parameters or groups, as for any optimizer.
        check: evaluate twice before the first step and refuse a closure that gives two values.

    Class attributes:
        gradient_only: without ``curvature`` it asks for no product.
        group_settings: what a group may set, each a positive number.
        pace: what decides how far a step goes.
    """

    gradient_only: ClassVar[bool] = False
    group_settings: ClassVar[tuple[str, ...]] = ()
    pace: ClassVar[str] = "the solver"
    settings: dict[str, Any]

    def __init__(self, params: Iterable[Any], settings: dict[str, Any], check: bool = True) -> None:
        self.settings = settings
        self.memory: dict[str, Any] = {"steps": 0, "check": check, "best_value": math.inf}
        if isinstance(params, nn.Module):
            raise TypeError(f"{type(self).__name__} needs parameters, got a module; give model.parameters()")
        super().__init__(params, {})
        layout_of_parameters(self.parameters, names_of(self.param_groups))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, at any time; the group is copied. A refused one changes nothing.

        Raises:
            ValueError: the group sets something that this optimizer does not know, or holds a parameter twice, one of
                another dtype, or one that cannot be trained.
        """
        given = dict(param_group)
        settings = {key: value for key, value in given.items() if key not in OF_THE_MODEL}
        self.group(settings)
        if "params" not in given:
            raise ValueError(f"a param group of {type(self).__name__} needs 'params'; this one has {sorted(given)}")
        if not isinstance(given["params"], (Tensor, set)):
            given["params"] = list(given["params"])
            tensors = [entry[1] if isinstance(entry, tuple) else entry for entry in given["params"]]
            held = [parameter for group in self.param_groups for parameter in group["params"]]
            refuse_twice(tensors, held, type(self).__name__)
        super().add_param_group(given)
        kept = {key: given[key] for key in (*OF_THE_MODEL, *settings) if key in given}
        self.param_groups[-1] = self.group(kept)
        try:
            if self.parameters:
                layout_of_parameters(self.parameters, names_of(self.param_groups))
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise
        self._take_in()

    def group(self, entries: Mapping[str, Any]) -> Group:
        """A group of this optimizer, which refuses what it does not use."""
        return Group(entries, type(self).__name__, self.group_settings, self.pace)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters that require gradients now, in the order of the flat vector."""
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]

    @property
    def best_value(self) -> float:
        """The lowest value that any accepted or starting point had, by the function that judged it."""
        return self.memory["best_value"]

    @torch.no_grad()
    def restore_best(self) -> float:
        """Put the best point back into the parameters and return its value.

        The value is one of all weights together, so those of parameters that were frozen since are put back too. What
        was never trained is not kept.

        Raises:
            ValueError: no step was made yet, or a parameter has another shape than at the best point.
        """
        self._forget_lost_best()
        if not self.best_value < math.inf:
            raise ValueError("restore_best() before any step with a finite value; call step(closure) first")
        self._refuse_resized()
        for group in self.param_groups:
            for parameter in group["params"]:
                best = self.state.get(parameter, {}).get("best")
                if best is not None:
                    parameter.copy_(best)
        return self.best_value

    def remember(self, value: float, weights: Mapping[Tensor, Tensor]) -> None:
        """Keep the point if it is the best so far.

        Args:
            value: there.
            weights: of the trained parameters; the others stand where they are.
        """
        if not value < self.best_value:
            return
        self.memory["best_value"] = value
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter in weights:
                    self.state[parameter]["best"] = weights[parameter].detach().to(parameter, copy=True)
                elif "best" in self.state.get(parameter, {}):
                    self.state[parameter]["best"] = parameter.detach().clone()

    def step(  # type: ignore[override]
        self, closure: Closure | None = None, *, curvature: Closure | None = None, evaluation: Closure | None = None
    ) -> StepInfo:
        """One outer iteration.

        Args:
            closure: the loss whose gradient is used.
            curvature: the loss whose curvature is used, of a smaller batch, say; by default that of ``closure``.
            evaluation: the loss by which trial points are judged, of a larger batch, say; by default ``closure``.

        Raises:
            ValueError: no closure, a GradScaler, or a closure whose gradient cannot be recorded or is changed; a group
                that sets what is not used; a parameter that was resized.
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
        if torch.is_inference_mode_enabled():
            raise ValueError(
                f"{type(self).__name__}.step() stands under torch.inference_mode(), which makes no graph to "
                f"differentiate; leave inference mode before"
            )
        self._begin()
        with torch.enable_grad():
            batches = Batches(self, closure, curvature, evaluation)
            try:
                info = self._iterate(batches)
            finally:
                batches.leave()
        self.memory["steps"] += 1
        return info

    _step_supports_amp_scaling = True  # so that a GradScaler reaches step() with its scale, and is refused there

    def _begin(self) -> None:
        """Look at groups and state, which others may have touched."""
        for group in self.param_groups:
            self.group(group)
        self._refuse_resized()
        self._take_in()

    def _take_in(self) -> None:
        """Parameters that are trained from now on stood still until now: that is where they were at the best point."""
        self._forget_lost_best()
        if self.best_value < math.inf:
            for parameter in self.parameters:
                if "best" not in self.state[parameter]:
                    self.state[parameter]["best"] = parameter.detach().clone()

    def _forget_lost_best(self) -> None:
        """Without any of its weights, for somebody cleared the state, the best value is of no point any more."""
        if not any("best" in self.state.get(p, {}) for group in self.param_groups for p in group["params"]):
            self.memory["best_value"] = math.inf

    def _refuse_resized(self) -> None:
        for parameter, name in names_of(self.param_groups).items():
            for key, value in self.state.get(parameter, {}).items():
                if value.shape != parameter.shape:
                    raise ValueError(
                        f"{name} has the shape {tuple(parameter.shape)}, but {tuple(value.shape)} is kept of it as "
                        f"{key!r}; make a new {type(self).__name__} after resizing parameters"
                    )

    def _iterate(self, batches: Batches) -> StepInfo:
        raise NotImplementedError

    @property
    def numbers(self) -> dict[str, Any]:
        """What it remembers beside what belongs to parameters."""
        return dict(self.memory)

    @property
    def vectors(self) -> dict[str, tuple[int, ...]]:
        """What it may keep for a parameter: each entry has these dimensions before those of the parameter."""
        return {"best": ()}

    def check_numbers(self, numbers: Mapping[str, Any]) -> None:
        """Refuse saved numbers that do not go with the settings.

        Raises:
            ValueError: they do not.
        """

    def entries(self) -> dict[Tensor, Entries]:
        """What is kept for each parameter."""
        return dict(self.state)

    def state_dict(self) -> dict[str, Any]:
        """Groups and state as always, and under ``"solver"`` the numbers that the solver remembers; all are copies."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        self._forget_lost_best()
        found = packed(self, self.entries())
        for post_hook in self._optimizer_state_dict_post_hooks.values():
            found = post_hook(self, found) or found
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from ``state_dict()``; the continued run is bitwise the same.

        Parameters are found again by name where both sides have names (``named_parameters()``), whatever the order of
        the groups, and by order otherwise. Everything is checked first: a state that is refused changes nothing.

        Raises:
            ValueError: the state belongs to another optimizer or to other parameters, or is damaged; says what differs.
        """
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = hook(self, state_dict) or state_dict
        found = restored(self, state_dict)
        self._resume(found.numbers, found.state)
        for group, new in zip(self.param_groups, found.groups):
            group.clear()
            group.update(new)
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def _resume(self, numbers: dict[str, Any], entries: dict[Tensor, Entries]) -> None:
        """Take over what was checked."""
        self.memory = numbers
        self.state.clear()
        self.state.update({parameter: found for parameter, found in entries.items() if found})

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "settings": self.settings, "memory": self.memory}
