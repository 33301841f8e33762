"""Exact derivatives from an unmodified training closure: record its ``backward`` calls instead of running them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from gradwright.solvers.problem.evaluation import scalar
from gradwright.solvers.problem.hooks import silenced
from gradwright.solvers.problem.watching import Recording, Running, not_zero


class Recorder:
    """Runs ``zero_grad(); loss.backward(); return loss`` so that the graph of the loss survives.

    Several ``backward`` calls add up, as they do in ``.grad``: micro-batches need no change.

    Args:
        parameters: what the losses are differentiated with respect to.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters

    def run(self, closure: Callable[[], Any]) -> tuple[Tensor, Any]:
        """The loss with its graph, and what the closure returned beside it.

        Raises:
            TypeError: the closure returned something else than a number.
            ValueError: the losses that ``backward`` was called on do not add up to the value returned (a scaled loss,
                as GradScaler makes; a value of another batch), gradients were computed out of sight or changed, or a
                hook waits for them to be accumulated.
        """
        for index, parameter in enumerate(self.parameters):
            if getattr(parameter, "_post_accumulate_grad_hooks", None):
                raise ValueError(
                    f"parameter {index} of those trained, of shape {tuple(parameter.shape)}, has a hook of "
                    f"register_post_accumulate_grad_hook, which never runs here, where backward is recorded; remove "
                    f'it, or use hvp="finite-difference"'
                )
        before = [(p.grad, None if p.grad is None else p.grad._version) for p in self.parameters]
        with Recording(self.parameters) as recording:
            answer = closure()
        value, extras = answered(answer)
        if recording.losses:
            recording.refuse_changes()
            total = recording.total()
            refuse_other_value(value, recording.losses)
            return total, extras
        loss = scalar(value, "the closure")
        if any(_was_made(p.grad, *old) for p, old in zip(self.parameters, before)):
            raise ValueError(
                "the closure computes gradients without loss.backward() (torch.autograd.backward, a scaler, a compiled "
                'step): call loss.backward() or only return the loss, or use hvp="finite-difference"'
            )
        if not loss.requires_grad:
            raise ValueError(
                "the closure returned a value that does not depend on the parameters through differentiable "
                "operations: compute it with torch (no .item(), .detach() or no_grad), call loss.backward(), and check "
                "that the parameters given are those of the model"
            )
        return loss, extras


def run_backward(parameters: Sequence[nn.Parameter], closure: Callable[[], Any]) -> tuple[Tensor, Any]:
    """Run a closure as it is, its ``backward`` included: what it returned, with the gradient in ``.grad``.

    Gradients that it computes out of sight of ``Tensor.backward`` are taken as they are.

    Returns:
        the loss, with a graph only where no gradient was left in ``.grad``, and what the closure returned beside it.

    Raises:
        TypeError: the closure returned something else than a number.
        ValueError: it left no gradient and no graph, cleared the gradient after ``backward`` or changed it, or called
            ``backward`` on losses that do not add up to the value returned.
    """
    for parameter in parameters:
        parameter.grad = None
    with Running(parameters) as running, silenced(parameters):
        answer = closure()
    value, extras = answered(answer)
    running.refuse_changes()
    if running.losses:
        if running.cleared and running.knows_more:
            raise ValueError("the closure clears .grad after backward; clear it before, zero_grad() first of all")
        refuse_other_value(value, running.losses)
        value = torch.stack(running.losses).sum() if value is None else value
    made = any(parameter.grad is not None for parameter in parameters)
    if made and isinstance(value, Real):
        value = torch.tensor(float(value), dtype=torch.float64, device="cpu")
    loss = scalar(value, "the closure")
    if not made and not loss.requires_grad:
        raise ValueError(
            "the closure left no gradient: let it call loss.backward(), or return a loss that is computed from the "
            "parameters with torch (no .item(), .detach() or no_grad)"
        )
    return loss.detach() if made else loss, extras


def refuse_other_value(value: Any, losses: Sequence[Tensor]) -> None:
    """Compare the value that a closure returned with the losses that it called ``backward`` on.

    Raises:
        TypeError: it is no number.
        ValueError: they do not add up to it.
    """
    if value is None:
        return
    told = float(value) if isinstance(value, Real) else float(scalar(value, "the closure").detach())
    parts = [float(loss.detach()) for loss in losses]
    found = sum(parts)
    size = max(abs(found), sum(map(abs, parts)), abs(told))
    if abs(told - found) > 1e-3 * size:
        raise ValueError(
            f"the closure returned {told:.6g}, but the losses it called backward on sum to {found:.6g}: a step is "
            f"judged by the value and made from the gradient, so return the sum of those losses, unscaled"
        )


def answered(answer: Any) -> tuple[Any, Any]:
    """The value and what stands beside it, out of what a closure returned.

    Raises:
        ValueError: a tuple of another length than two.
    """
    if not isinstance(answer, tuple):
        return answer, None
    if len(answer) != 2:
        raise ValueError(f"the closure returned {len(answer)} things; return the loss, or (loss, outputs)")
    return answer


def _was_made(grad: Tensor | None, old: Tensor | None, version: int | None) -> bool:
    """Whether a ``.grad`` is another one than before, and not only zeroed."""
    return not (grad is old and (grad is None or grad._version == version)) and not_zero(grad)
