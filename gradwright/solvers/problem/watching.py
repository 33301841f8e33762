"""Watching: what a closure does with ``backward``, and whether it changes the gradient afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gradwright.solvers.problem.evaluation import dense

GRAD = Tensor.grad
"""The descriptor behind ``.grad``: reading, setting and deleting it are three methods of this one object."""

BACKWARD = ("gradient", "retain_graph", "create_graph", "inputs")
"""What ``Tensor.backward`` takes, in order."""


class Watching(TorchFunctionMode):
    """Sees each ``Tensor.backward`` of a closure, and finds out afterwards whether the closure changed the gradient.

    Attributes:
        losses: what ``backward`` was called on.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.parameters = parameters
        self.losses: list[Tensor] = []
        self._ours = {id(parameter) for parameter in parameters}
        self._true: list[Tensor | None] | None = None

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.backward:
            loss, *rest = args
            given = {**dict(zip(BACKWARD, rest)), **kwargs}
            self.refuse_changes()
            return self._backward(self._weighted(loss, **given), loss, given)
        self._look(func, args)
        return func(*args, **kwargs)

    def _backward(self, weighted: Tensor, loss: Tensor, given: dict[str, Any]) -> None:
        raise NotImplementedError

    def _look(self, func: Any, args: tuple) -> None:
        """Called before any other function of torch."""

    def _weighted(self, loss: Tensor, gradient: Any = None, inputs: Any = None, **_: Any) -> Tensor:
        """The number that ``backward`` differentiates."""
        if gradient is None and loss.numel() != 1:
            raise ValueError(
                f"the closure calls backward() on a tensor of shape {tuple(loss.shape)}; call it on one number, or "
                f"give backward(gradient=...)"
            )
        reached = (
            self._ours if inputs is None else {id(x) for x in ([inputs] if isinstance(inputs, Tensor) else inputs)}
        )
        if not self._ours <= reached:
            raise ValueError(
                "the closure calls backward(inputs=...) on some of the parameters only; freeze the others with "
                "requires_grad_(False), or leave inputs out"
            )
        return loss.reshape(()) if gradient is None else (loss * gradient).sum()

    def _note(self, gradients: Sequence[Tensor | None]) -> None:
        """Keep what the gradient is, to compare with what the closure leaves."""
        self._true = [None if each is None else each.detach().clone() for each in gradients]

    @property
    def knows_more(self) -> bool:
        """Whether the gradient, as far as it is known, is not zero."""
        return any(map(not_zero, self._true or ()))

    @property
    def cleared(self) -> bool:
        """Whether nothing is left of the gradient in ``.grad``."""
        return not any(not_zero(parameter.grad) for parameter in self.parameters)

    def refuse_changes(self) -> None:
        """Compare ``.grad`` with the gradient, as far as it is known; clearing all of it is no change.

        Raises:
            ValueError: the closure changed it.
        """
        if self._true is None or self.cleared:
            return
        for index, (parameter, true) in enumerate(zip(self.parameters, self._true)):
            if not _equal(parameter.grad, true):
                before, after = (0.0 if each is None else float(each.norm()) for each in (true, parameter.grad))
                raise ValueError(
                    f"the closure changes the gradient of parameter {index} of those trained, of shape "
                    f"{tuple(parameter.shape)}, after backward: its norm was {before:.6g} and is {after:.6g}. A step "
                    f"is made from the derivatives of the loss and judged by it: put decay and penalties into the "
                    f"loss, freeze with requires_grad_(False), and leave clipping out, since steps are limited already"
                )


class Recording(Watching):
    """Records ``backward`` and does not run it, so that the graph stays whole.

    The gradient is put into ``.grad`` when the closure asks for it there, so that what it reads is true.
    """

    _counted = 0

    def _backward(self, weighted: Tensor, loss: Tensor, given: dict[str, Any]) -> None:
        self.losses.append(weighted)

    def _look(self, func: Any, args: tuple) -> None:
        if len(self.losses) == self._counted or getattr(func, "__self__", None) is not GRAD:
            return
        if id(args[0]) not in self._ours:
            return
        self.refuse_changes()
        with torch.enable_grad():  # closures clip under no_grad
            gradients = torch.autograd.grad(self.total(), self.parameters, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(self.parameters, gradients):
            parameter.grad = gradient
        self._note(gradients)
        self._counted = len(self.losses)

    def total(self) -> Tensor:
        """The sum of the losses, with its graph."""
        return torch.stack([loss.reshape(()) for loss in self.losses]).sum()


class Running(Watching):
    """Runs ``backward`` and keeps a copy of what it leaves in ``.grad``."""

    def _backward(self, weighted: Tensor, loss: Tensor, given: dict[str, Any]) -> None:
        self.losses.append(weighted.detach())
        loss.backward(**given)
        self._note([parameter.grad for parameter in self.parameters])


def not_zero(grad: Tensor | None) -> bool:
    """Whether an entry is not zero."""
    if grad is None:
        return False
    return bool((grad.detach().coalesce().values() if grad.is_sparse else grad.detach()).count_nonzero())


def _equal(grad: Tensor | None, true: Tensor | None) -> bool:
    """Whether two gradients are the same; a missing one is zero."""
    if grad is None or true is None:
        return not not_zero(grad) and not not_zero(true)
    grad, true = (dense(each.detach()) for each in (grad, true))
    return grad.shape == true.shape and bool(((grad == true) | (grad.isnan() & true.isnan())).all())
