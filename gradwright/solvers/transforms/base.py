"""What a transform with extra arguments is, and how several make one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.problem.layout import layout_of
from gradwright.solvers.transforms.dictionary import joined, over_one_tensor

State = Any
Function = Callable[[Tensor], Any]


@dataclass(frozen=True)
class ExtraArgsTransform:
    """``init(params)`` gives a state; ``update(step, state, params, **extra)`` gives an additive step and the
    next state.

    The first transform of a chain gets the gradient as ``step``; params ← params + step at the end. Parameters and
    steps are one tensor of any shape, or a dict of tensors. ``extra`` may hold what any transform of a chain asks for:

    value_fn: x ↦ f(x), grad_fn: x ↦ ∇f(x), hvp: v ↦ ∇²f(params) v, gnvp: v ↦ Gv with the Gauss-Newton matrix, and grad
    and value at params.

    Args:
        init, update: the functions.
        requires: for each need the names that satisfy it; the first missing one is refused by name.
    """

    name: str
    init: Callable[[Tensor], State]
    step: Callable[..., tuple[Tensor, State]]
    requires: tuple[tuple[str, ...], ...] = ()

    def update(self, step: Any, state: State, params: Any, **extra: Any) -> tuple[Any, State]:
        """The next step and state, the step in the form of params.

        Raises:
            ValueError: an extra argument that this transform needs is missing, or shapes differ.
            TypeError: params is neither a tensor nor a dict of tensors.
        """
        for names in self.requires:
            if all(extra.get(name) is None for name in names):
                others = f" (or {', '.join(names[1:])})" if names[1:] else ""
                raise ValueError(f"{self.name}: {names[0]} is missing{others}; call update(..., {names[0]}=...)")
        if isinstance(params, Mapping):
            layout, tensors = layout_of(params)
            x = torch.cat([tensor.reshape(-1) for tensor in tensors])
            found, state = self.step(joined(step, layout, "the step"), state, x, over_one_tensor(extra, layout))
            return layout.structured(found), state
        if not isinstance(params, Tensor) or not isinstance(step, Tensor):
            kinds = f"{type(step).__name__} and {type(params).__name__}"
            raise TypeError(f"{self.name}: step and params are {kinds}; give tensors, or dicts of tensors")
        if step.shape != params.shape:
            raise ValueError(f"{self.name}: the step has shape {tuple(step.shape)}, params {tuple(params.shape)}")
        return self.step(step, state, params, extra)


def chain(*transforms: ExtraArgsTransform) -> ExtraArgsTransform:
    """One transform that does the work of several in turn; it requires what they require together."""

    def init(params: Tensor) -> State:
        return tuple(each.init(params) for each in transforms)

    def step(step: Tensor, state: State, params: Tensor, extra: dict[str, Any]) -> tuple[Tensor, State]:
        extra = {"grad": step, **extra}
        after = []
        for each, own in zip(transforms, state):
            step, own = each.update(step, own, params, **extra)
            after.append(own)
        return step, tuple(after)

    needs = tuple(dict.fromkeys(need for each in transforms for need in each.requires))
    return ExtraArgsTransform(f"chain({', '.join(each.name for each in transforms)})", init, step, needs)


def gradient_of(extra: dict[str, Any]) -> Function:
    """x ↦ ∇f(x): grad_fn, or the derivative of value_fn."""
    if extra.get("grad_fn") is not None:
        return extra["grad_fn"]

    def slope(x: Tensor) -> Tensor:
        leaf = x.detach().requires_grad_()
        with torch.enable_grad():
            return torch.autograd.grad(extra["value_fn"](leaf), leaf)[0]

    return slope


def product_of(params: Tensor, extra: dict[str, Any]) -> Function:
    """v ↦ ∇²f(params) v on flat vectors: hvp, or the gradient differentiated once more."""
    if extra.get("hvp") is not None:
        return lambda v: extra["hvp"](v.view(params.shape)).reshape(-1)
    leaf = params.detach().requires_grad_()
    with torch.enable_grad():
        if extra.get("grad_fn") is not None:
            slope = extra["grad_fn"](leaf)
        else:
            (slope,) = torch.autograd.grad(extra["value_fn"](leaf), leaf, create_graph=True)
    if not slope.requires_grad:
        if extra.get("grad_fn") is not None and extra.get("value_fn") is not None:
            return product_of(params, {"value_fn": extra["value_fn"]})
        raise ValueError(
            "grad_fn gives a gradient without graph, so there are no Hessian products; give hvp or value_fn"
        )

    def times(v: Tensor) -> Tensor:
        return torch.autograd.grad(slope, leaf, v.view(params.shape).to(slope), retain_graph=True)[0].reshape(-1)

    return times
