"""The training that the checks watch: a bowl with noisy gradients, the same in every run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.contract.asserts import refusal
from gradwright.contract.check import Knobs, RecipeClass
from gradwright.core import Slot
from gradwright.core.second_look import SecondLook
from gradwright.optimizer.optimizer import Optimizer

SHAPES = ((3, 4), (4, 2), (5,), ())
MATRIX = ((3, 4),)
NOISE = 0.3


def noise(seed: int, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal numbers that depend on the seed and the shape alone."""
    wide = torch.complex128 if dtype.is_complex else torch.float64
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=wide, device="cpu").to(dtype)


def weights(shapes: Iterable[Sequence[int]], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """A leaf for each shape, at random values."""
    return [noise(1000 + index, shape, dtype).requires_grad_() for index, shape in enumerate(shapes)]


def accepts(recipe: RecipeClass, knobs: Knobs, tensor: Tensor) -> bool:
    """Whether a recipe serves a tensor; if it does not, it has to say so by name before anything happens."""
    message = refusal(lambda: recipe([tensor], **knobs), ValueError)
    for word in (recipe.recipe_name, "parameter 0") if message else ():
        assert word in message, f"a tensor was refused without saying {word!r}: {message}"
    return not message


def served(recipe: RecipeClass, knobs: Knobs, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Those of some tensors that a recipe serves.

    Raises:
        AssertionError: there is none.
    """
    found = [tensor for tensor in tensors if accepts(recipe, knobs, tensor)]
    assert found, f"{recipe.recipe_name} serves none of the tensors it was offered"
    return found


def step_on(
    optimizer: Optimizer, params: Iterable[Tensor], gradients: Iterable[Tensor | None], loss: Tensor | float
) -> None:
    """Take one step on given gradients, which are those of every place at which a recipe looks."""
    pairs = list(zip(params, gradients))

    def closure() -> Any:
        for param, gradient in pairs:
            param.grad = gradient
        return loss

    step_by(optimizer, closure)


def step_by(optimizer: Optimizer, closure: Callable[[], Any]) -> None:
    """Take one step on the gradients that a closure leaves: it is called again only where a recipe looks twice."""
    if any(isinstance(link, SecondLook) for link in optimizer.chain_of(optimizer.param_groups[0]).links):
        optimizer.step(closure)
    else:
        optimizer.step(loss=closure())


class Training:
    """A recipe at work on a bowl around 1, with the loss passed at each step.

    Args:
        recipe: the recipe class.
        knobs: its hyper-parameters.
        params: the leaves; those of :data:`SHAPES` that the recipe serves if not given.
        noise: how noisy the gradients are.
        arguments: further arguments of the optimizer.
    """

    def __init__(
        self,
        recipe: RecipeClass,
        knobs: Knobs,
        params: list[Tensor] | None = None,
        *,
        noise: float = NOISE,
        **arguments: Any,
    ) -> None:
        self.params = served(recipe, knobs, weights(SHAPES)) if params is None else params
        self.optimizer: Optimizer = recipe(self.params, **{**knobs, **arguments})
        self.noise = noise
        self.time = 0

    def loss(self) -> Tensor:
        """Half the squared distance to the bottom of the bowl."""
        away = ((param.detach() - 1).abs().double().square().sum() for param in self.params)
        return 0.5 * torch.stack(list(away)).sum()

    def gradients(self) -> list[Tensor]:
        """The gradients for the present weights and time."""
        return [
            param.detach() - 1 + self.noise * noise(100 * self.time + index, param.shape, param.dtype)
            for index, param in enumerate(self.params)
        ]

    def step(self, count: int = 1) -> Training:
        """Take steps on the gradients of the bowl."""
        for _ in range(count):
            self.step_on(self.gradients())
        return self

    def step_on(self, gradients: Iterable[Tensor | None], loss: Tensor | None = None) -> Training:
        """Take one step on given gradients."""
        step_on(self.optimizer, self.params, gradients, self.loss() if loss is None else loss)
        self.time += 1
        return self

    def values(self) -> list[Tensor]:
        """A copy of the weights."""
        return [param.detach().clone() for param in self.params]

    def resumed(self, recipe: RecipeClass, knobs: Knobs) -> Training:
        """Another training over a copy of the weights, at the same time, with a new optimizer."""
        other = Training(recipe, knobs, copies(self.params), noise=self.noise)
        other.time = self.time
        return other


def copies(params: Iterable[Tensor]) -> list[Tensor]:
    """Leaves of the same values."""
    return [param.detach().clone().requires_grad_() for param in params]


def snapshot(optimizer: Optimizer) -> dict[str, Any]:
    """A copy of all that a step may change: weights, state and groups, each under a name to report."""
    found: dict[str, Any] = {}
    for index, group in enumerate(optimizer.param_groups):
        for key in group.keys() - {"params"}:
            found[f"{key} of group {index}"] = copy.deepcopy(group[key])
        for param in group["params"]:
            name = optimizer.spec_of(param).name
            found[f"the weights of {name}"] = param.detach().clone()
            for key, value in optimizer.state.get(param, {}).items():
                found[f"{key} of {name}"] = value.detach().clone() if isinstance(value, Tensor) else value
    return found


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names under which two snapshots differ in any bit, in order."""
    return sorted(
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or not same(before[name], after[name])
    )


def same(one: Any, other: Any) -> bool:
    """Equal bit for bit, and of one type."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and one == other


def slots_of(optimizer: Optimizer, param: Tensor) -> dict[str, Any]:
    """What the optimizer declares to keep for a parameter."""
    group = next(group for group in optimizer.param_groups if any(param is own for own in group["params"]))
    return optimizer.slots_for(group)(param)


def is_shared(slot: Any) -> bool:
    return isinstance(slot, Slot) and slot.shared
