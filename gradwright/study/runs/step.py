"""One training step with its times, the weights to evaluate with, and the memory of an optimizer."""

from __future__ import annotations

import contextlib
import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradwright.study.runs.criteria import Criterion
from gradwright.study.tasks.seeding import derive
from gradwright.study.tasks.task import Session


class Times(NamedTuple):
    """Seconds of one step: by the clock, of the processor, and the optimizer's part of the latter."""

    wall: float
    cpu: float
    optimizer: float


class Step:
    """Forward, backward and optimizer step on a batch, with its times.

    torch's generator is seeded by the step, so dropout is the same for every optimizer. On a CUDA device the times
    are by the clock, with the device synchronised; elsewhere the shares are of processor time, which other programs
    on the machine cannot stretch.
    """

    def __init__(
        self,
        session: Session,
        optimizer: torch.optim.Optimizer,
        key: tuple[object, ...],
        criterion: Criterion | None = None,
    ) -> None:
        self.session, self.optimizer, self.key, self.criterion = session, optimizer, key, criterion
        signature = inspect.signature(optimizer.step).parameters
        self.takes_loss = "loss" in signature
        closure = signature.get("closure")
        self.needs_closure = closure is not None and closure.default is inspect.Parameter.empty
        self.cuda = any(parameter.is_cuda for parameter in session.model.parameters())

    def __call__(self, step: int) -> tuple[float, Times]:
        wall = time.perf_counter()
        begun = self._now()
        loss = self._backward(step)
        middle = self._now()
        if self.needs_closure:
            self.optimizer.step(lambda: self._backward(step))
        elif self.takes_loss:
            self.optimizer.step(loss=loss.detach())  # type: ignore[call-arg]
        else:
            self.optimizer.step()
        end = self._now()
        return loss.item(), Times(time.perf_counter() - wall, end - begun, end - middle)

    def _backward(self, step: int) -> Tensor:
        torch.manual_seed(derive(*self.key, "step", step))
        self.optimizer.zero_grad()
        with torch.enable_grad():
            loss = self.session.loss(step)
            loss.backward()
        if self.criterion is not None:
            self.criterion.after_backward(self.session.model.parameters())
        return loss

    def _now(self) -> float:
        if self.cuda:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()


def evaluating(optimizer: Any) -> contextlib.AbstractContextManager[Any]:
    """The weights to evaluate with: ``optimizer.evaluating()``, or ``eval()`` and ``train()`` as the schedule-free
    package has them, or the weights as they are."""
    if hasattr(optimizer, "evaluating"):
        return optimizer.evaluating()
    if switches(optimizer):
        return _between(optimizer.eval, optimizer.train)
    return contextlib.nullcontext()


def judged_apart(optimizer: Any) -> bool:
    """Whether the weights to evaluate with can be others than those of training."""
    if hasattr(optimizer, "chain_of"):  # a recipe says it
        return any(optimizer.chain_of(group).evaluates for group in optimizer.param_groups)
    return hasattr(optimizer, "evaluating") or switches(optimizer)


def switches(optimizer: Any) -> bool:
    """Whether it keeps training and evaluation weights apart by ``train()`` and ``eval()``."""
    return callable(getattr(optimizer, "eval", None)) and callable(getattr(optimizer, "train", None))


@contextlib.contextmanager
def _between(enter: Callable[[], Any], leave: Callable[[], Any]) -> Iterator[None]:
    enter()
    try:
        yield
    finally:
        leave()


def state_bytes(optimizer: torch.optim.Optimizer | None) -> int:
    """Bytes of all tensors in ``optimizer.state``; a tensor that several parameters share counts once."""
    found: dict[int, int] = {}

    def visit(value: Any) -> None:
        if isinstance(value, Tensor):
            found[id(value)] = value.numel() * value.element_size()
        elif isinstance(value, dict):
            for each in value.values():
                visit(each)
        elif isinstance(value, list | tuple):
            for each in value:
                visit(each)

    if optimizer is not None:
        visit(dict(optimizer.state))
    return sum(found.values())
