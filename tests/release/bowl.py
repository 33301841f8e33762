"""A module of bare parameters around a bowl, and two ways to train it: with gradients released, and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

import gradwright
from gradwright.contract.training import noise, served, weights
from gradwright.training import release

SHAPES = ((3, 4), (4, 3), (3, 4), (5,), (3, 4), (), (7,))
"""Equal shapes among others, so that links which serve several tensors at once meet other companions."""


class Bowl(nn.Module):
    """Its loss pulls every parameter to 1, with noise that depends on the batch; gradients arrive one by one."""

    def __init__(self, params: Sequence[Tensor]) -> None:
        super().__init__()
        self.params = nn.ParameterList([nn.Parameter(param.detach().clone()) for param in params])

    def forward(self, batch: int) -> Tensor:
        loss = torch.zeros(())
        for index, param in enumerate(self.params):
            target = 1 + 0.3 * noise(100 * batch + index, param.shape, param.dtype)
            loss = 0.9 * loss + 0.5 * (param - target).abs().square().sum()
        return loss


def bowl(recipe: Any, knobs: Any, dtype: torch.dtype = torch.float32) -> Bowl:
    return Bowl(served(recipe, knobs, weights(SHAPES, dtype)))


def trained(
    recipe: Any,
    knobs: Any,
    steps: int = 5,
    *,
    within: Callable[[Bowl, gradwright.Optimizer], Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Bowl, gradwright.Optimizer]:
    """A bowl after some steps under a schedule, every backward within a context."""
    model = bowl(recipe, knobs, dtype)
    optimizer = recipe(model.named_parameters(), **knobs)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, 1.0, 4)
    for batch in range(steps):
        optimizer.zero_grad()
        if within is None:
            model(batch).backward()
        else:
            with within(model, optimizer):
                model(batch).backward()
        optimizer.step()
        schedule.step()
    return model, optimizer


def same(one: tuple[Bowl, gradwright.Optimizer], other: tuple[Bowl, gradwright.Optimizer]) -> bool:
    """Whether two runs have the same weights and the same state, bit for bit."""
    pairs = [*zip(one[0].params, other[0].params)]
    for a, b in zip(one[0].params, other[0].params):
        mine, its = one[1].state[a], other[1].state[b]
        assert mine.keys() == its.keys()
        pairs += [(torch.as_tensor(mine[key]), torch.as_tensor(its[key])) for key in mine]
    return all(torch.equal(a, b) for a, b in pairs)


@contextmanager
def live_bytes(model: nn.Module, found: list[int]) -> Iterator[None]:
    """Count the bytes of all gradients that are alive whenever one is complete. Enter it before gradients are released,
    so that it looks before they are freed."""

    def count(_: Tensor) -> None:
        found.append(sum(param.grad.nbytes for param in model.parameters() if param.grad is not None))

    hooks = [param.register_post_accumulate_grad_hook(count) for param in model.parameters()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def letting(hold: int | None = None, **terms: Any) -> Callable[[Bowl, gradwright.Optimizer], Any]:
    return lambda model, optimizer: release(model, optimizer, hold=hold, **terms)
