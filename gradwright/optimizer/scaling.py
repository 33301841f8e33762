"""A closure and a GradScaler in one step, which torch's own scaler refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from gradwright.optimizer.second_look import TwoPasses
    from gradwright.optimizer.stepping import Stepping


class _Unhooked:
    """What the scaler sees: the groups to unscale and a step that does not run the optimizer's hooks a second time."""

    def __init__(self, optimizer: Stepping, passes: TwoPasses | None) -> None:
        self.optimizer, self.passes = optimizer, passes
        self.param_groups = optimizer.param_groups

    def step(self, *, loss: torch.Tensor) -> None:
        self.optimizer._advance(loss, self.passes)


def scaled_backward(
    optimizer: Stepping,
    closure: Callable[[], Any] | None,
    scaler: torch.amp.GradScaler,
    on_unscaled: Callable[[], Any] | None,
    passes: TwoPasses | None = None,
) -> Any:
    """Compute the loss, scale it, go backward, unscale, step where all gradients are finite, update the scale.

    Args:
        optimizer: what steps.
        closure: computes and returns the loss.
        scaler: scales it.
        on_unscaled: called before the step, when the gradients have their own size.
        passes: what evaluates for recipes that look twice.

    Returns:
        The loss.

    Raises:
        TypeError: there is no closure, or it returned no loss.
        RuntimeError: gradients are released.
    """
    if optimizer.window is not None:
        optimizer.window.refuse_scaler()
    if closure is None:
        raise TypeError("step(scaler=...) needs a closure that returns the loss; otherwise call scaler.step(optimizer)")
    backward = partial(_backward, closure, scaler)
    with torch.enable_grad():
        loss = backward() if passes is None else passes.evaluate(backward, 1.0 / scaler.get_scale(), wait=True)
    shim = _Unhooked(optimizer, passes)
    scaler.unscale_(shim)  # type: ignore[arg-type]
    if passes is not None:
        passes.combine()
    if on_unscaled is not None:
        on_unscaled()
    scaler.step(shim, loss=loss.detach())  # type: ignore[arg-type]
    scaler.update()
    return loss


def _backward(closure: Callable[[], Any], scaler: torch.amp.GradScaler) -> torch.Tensor:
    """The closure's loss, whose gradients are there now, scaled."""
    loss = closure()
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        raise TypeError(
            f"with scaler=, the closure returns the loss and calls no backward; it returned {_described(loss)}"
        )
    scaler.scale(loss).backward()
    return loss


def _described(value: Any) -> str:
    return "a loss without a graph" if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"
