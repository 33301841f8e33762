"""Pair: one recipe on a fused engine and on eager, over the same tensors, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.contract.training import noise

Make = Callable[[], Any]


def leaves(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Make:
    """A function that makes the same leaves at each call, one for each shape."""
    return lambda: [noise(index, shape, dtype).requires_grad_() for index, shape in enumerate(shapes)]


class Pair:
    """The same training twice.

    Args:
        recipe: the class.
        make: makes the parameters, or groups of them; called twice.
        engine: the fused one.
        knobs: what the recipe is given.
    """

    def __init__(self, recipe: Any, make: Make, engine: str = "cpp", **knobs: Any) -> None:
        self.fused = recipe(make(), engine=engine, **knobs)
        self.eager = recipe(make(), engine="eager", **knobs)
        self.time = 0

    def params(self, optimizer: Any) -> list[Tensor]:
        return [param for group in optimizer.param_groups for param in group["params"]]

    def gradients(self) -> list[Tensor]:
        """Noise whose size differs from tensor to tensor and from step to step."""
        params = self.params(self.eager)
        sizes = noise(7000 + self.time, (len(params),)).exp()
        return [
            (size * noise(1000 * self.time + index, param.shape)).to(param.dtype)
            for index, (param, size) in enumerate(zip(params, sizes))
        ]

    def step(self, grads: Sequence[Tensor | None] | None = None, **changes: Any) -> Pair:
        """One step of both, each on its own copy of the gradients, laid out as they are given."""
        grads = self.gradients() if grads is None else grads
        for optimizer in (self.fused, self.eager):
            for group in optimizer.param_groups:
                group.update(changes)
            for param, grad in zip(self.params(optimizer), grads):
                param.grad = None if grad is None else grad
            optimizer.step(loss=1.0 + 1.0 / (1 + self.time))
        self.time += 1
        return self

    def steps(self, count: int) -> Pair:
        for _ in range(count):
            self.step()
        return self

    def synchronise(self) -> None:
        """Give the fused run the weights and state of the eager one, so that only the next step can differ."""
        for mine, its in zip(self.params(self.fused), self.params(self.eager)):
            mine.data.copy_(its.data)
            for key, value in self.eager.state[its].items():
                if isinstance(value, Tensor):
                    self.fused.state[mine][key].copy_(value)
                else:
                    self.fused.state[mine][key] = value

    def tensors(self) -> Iterable[tuple[str, Tensor, Tensor]]:
        """Weights and full-precision state of both, with names."""
        for index, (mine, its) in enumerate(zip(self.params(self.fused), self.params(self.eager))):
            yield f"parameter {index} {tuple(its.shape)}", mine.detach(), its.detach()
            for key, value in self.eager.state[its].items():
                if isinstance(value, Tensor):
                    yield f"{key} of parameter {index} {tuple(its.shape)}", self.fused.state[mine][key], value

    def before(self) -> list[Tensor]:
        """A copy of what the eager run is about to change; a slot that starts as its parameter already is."""
        found = []
        for group in self.eager.param_groups:
            slots_for = self.eager.slots_for(group)
            for param in group["params"]:
                state, slots = self.eager.state[param], slots_for(param)
                found.append(param.detach().clone())
                for key in (key for key, value in state.items() if isinstance(value, Tensor)):
                    starts = slots[key].start == "param" and state["step"] == 0
                    found.append((param.detach() if starts else state[key]).clone())
        return found

    def close(self, relative: float = 1e-6) -> None:
        """Weights and state agree to so much of the largest entry; NaN and infinity stand in the same places."""
        for name, mine, its in self.tensors():
            assert mine.dtype == its.dtype, f"{name} is of type {mine.dtype}, eager {its.dtype}"
            assert distance(mine, its) <= relative, f"{name}: {apart(mine, its)}"
        for mine, its in zip(self.params(self.fused), self.params(self.eager)):
            assert mine.stride() == its.stride(), f"strides {mine.stride()}, eager {its.stride()}"
            numbers = {key: value for key, value in self.eager.state[its].items() if not isinstance(value, Tensor)}
            assert {key: self.fused.state[mine][key] for key in numbers} == numbers


def distance(mine: Tensor, its: Tensor) -> float:
    """The largest difference, relative to the largest finite entry; infinite where NaN or infinity disagree."""
    mine, its = (torch.view_as_real(one).double() if one.is_complex() else one.double() for one in (mine, its))
    finite = its.isfinite()
    if not torch.equal(finite, mine.isfinite()) or not torch.equal(
        mine[~finite].nan_to_num(), its[~finite].nan_to_num()
    ):
        return float("inf")
    if not finite.any():
        return 0.0
    return float((mine - its)[finite].abs().max() / its[finite].abs().max().clamp(min=1e-300))


def apart(mine: Tensor, its: Tensor) -> str:
    """Where two tensors differ most, in words."""
    gap = (mine.double() - its.double()).abs().nan_to_num(nan=math.inf)
    gap[(mine == its) | (mine.isnan() & its.isnan())] = 0.0
    at = tuple(int(index) for index in torch.unravel_index(gap.argmax(), gap.shape))
    return f"at {at} it is {mine[at].item()}, eager {its[at].item()}; {int((gap > 0).sum())} of {gap.numel()} differ"


def ulps(mine: Tensor, its: Tensor, before: Tensor) -> float:
    """The largest difference after a step, in units in the last place of the larger of old, new and move.

    Packed bits are equal or not.
    """
    if not its.dtype.is_floating_point:
        return 0.0 if torch.equal(mine, its) else math.inf
    facts = torch.finfo(its.dtype)
    old, new, other = before.double(), its.double(), mine.double()
    scale = torch.stack([old.abs(), new.abs(), (new - old).abs()]).amax(0).clamp(min=facts.tiny)
    place = facts.eps * torch.exp2(torch.frexp(scale).exponent - 1.0)
    return float(((other - new).abs() / place).max()) if its.numel() else 0.0


def left_to_eager(optimizer: Any) -> int:
    """How many tensors the last step left to plain torch."""
    return sum(len(dispatch.eager) for dispatch in optimizer._dispatch.groups.values())
