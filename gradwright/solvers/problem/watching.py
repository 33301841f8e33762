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
            if self.cleared and self.knows_more:  # what came before was not for this gradient
                self._start_over()
            return self._backward(self._weighted(loss, **given), loss, given)
        _refuse_several_processes()
        self._look(func, args)
        return func(*args, **kwargs)

    def _backward(self, weighted: Tensor, loss: Tensor, given: dict[str, Any]) -> None:
        raise NotImplementedError

    def _look(self, func: Any, args: tuple) -> None:
        """Called before any other function of torch."""

    def _start_over(self) -> None:
        """Forget the losses so far."""
        self.losses.clear()
        self._true = None

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

    The gradient is put into ``.grad`` when the closure asks for it there, so that what it reads is true: of the
    parameters, and of any other tensor, as an attack on the inputs needs it.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__(parameters)
        self._counted = 0
        self._others: dict[int, tuple[Tensor, int]] = {}

    def _start_over(self) -> None:
        super()._start_over()
        self._counted = 0
        self._others.clear()

    def _backward(self, weighted: Tensor, loss: Tensor, given: dict[str, Any]) -> None:
        self.losses.append(weighted)

    def _look(self, func: Any, args: tuple) -> None:
        if not self.losses or getattr(func, "__self__", None) is not GRAD:
            return
        if id(args[0]) in self._ours:
            if self._counted < len(self.losses):
                self._show()
        elif getattr(func, "__name__", "") == "__get__" and args[0].requires_grad and args[0].is_leaf:
            self._show_other(args[0])

    def _show(self) -> None:
        """Put the gradient so far into ``.grad`` of the parameters."""
        self.refuse_changes()
        gradients = self._gradients(self.losses, self.parameters)
        for parameter, gradient in zip(self.parameters, gradients):
            parameter.grad = gradient
        self._note(gradients)
        self._counted = len(self.losses)

    def _show_other(self, tensor: Tensor) -> None:
        """Add the gradient of the losses since the last look to ``.grad`` of a tensor that is no parameter of ours."""
        _, counted = self._others.get(id(tensor), (tensor, 0))
        if counted < len(self.losses):
            (gradient,) = self._gradients(self.losses[counted:], [tensor])
            if gradient is not None:
                tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient
            self._others[id(tensor)] = tensor, len(self.losses)

    def _gradients(self, losses: Sequence[Tensor], tensors: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():  # closures clip under no_grad
            total = torch.stack([loss.reshape(()) for loss in losses]).sum()
            if not total.requires_grad:
                return (None,) * len(tensors)
            return torch.autograd.grad(total, tensors, retain_graph=True, allow_unused=True)

    def total(self) -> Tensor:
        """The sum of the losses, with its graph."""
        return torch.stack([loss.reshape(()) for loss in self.losses]).sum()


class Running(Watching):
    """Runs ``backward`` and keeps a copy of what it leaves in ``.grad``."""

    def _backward(self, weighted: Tensor, loss: Tensor, given: dict[str, Any]) -> None:
        self.losses.append(weighted.detach())
        loss.backward(**given)
        self._note([parameter.grad for parameter in self.parameters])


def _refuse_several_processes() -> None:
    """Refuse a model that joins its gradients with other processes in ``backward``: values would not be joined, and
    each process would take another step.

    Raises:
        ValueError: one is running.
    """
    running = getattr(nn.parallel.DistributedDataParallel, "_active_ddp_module", None)
    if running is not None and running.process_group.size() > 1:
        raise ValueError(
            f"the closure runs a DistributedDataParallel over {running.process_group.size()} processes, which would "
            f"each judge a step by their own loss and take another one; train its .module in one process"
        )


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
