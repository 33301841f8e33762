"""Exact derivatives from an unmodified training closure: record its ``backward`` calls instead of running them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gradwright.solvers.problem.evaluation import scalar


class _Recording(TorchFunctionMode):
    """Keeps what ``Tensor.backward`` is called on; the graph stays whole and ``.grad`` stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func is not Tensor.backward:
            return func(*args, **kwargs)
        loss, *rest = args
        weights = rest[0] if rest else kwargs.get("gradient")
        self.losses.append(loss.reshape(()) if weights is None else (loss * weights).sum())
        return None


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
            ValueError: the losses that ``backward`` was called on do not add up to the value returned (a scaled loss,
                as GradScaler makes; a value of another batch), or gradients were computed out of sight.
        """
        before = [(p.grad, None if p.grad is None else p.grad._version) for p in self.parameters]
        with _Recording() as recording:
            answer = closure()
        value, extras = answer if isinstance(answer, tuple) else (answer, None)
        if recording.losses:
            return self._joined(recording.losses, value), extras
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

    def _joined(self, losses: list[Tensor], value: Any) -> Tensor:
        total = torch.stack([loss.reshape(()) for loss in losses]).sum()
        if value is None:
            return total
        told = float(value.detach() if isinstance(value, Tensor) else value)
        found = float(total.detach())
        size = max(abs(found), sum(abs(float(loss.detach())) for loss in losses), abs(told))
        if abs(told - found) > 1e-3 * size:
            raise ValueError(
                f"the closure returned {told:.6g}, but the losses it called backward on sum to {found:.6g}: a step is "
                f"judged by the value and made from the gradient, so return the sum of those losses, unscaled"
            )
        return total


def _was_made(grad: Tensor | None, old: Tensor | None, version: int | None) -> bool:
    """Whether a ``.grad`` is another one than before, and not only zeroed."""
    if grad is None or (grad is old and grad._version == version):
        return False
    return bool(grad.detach().count_nonzero())
