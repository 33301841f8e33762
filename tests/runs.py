"""Runs: drive an optimizer, or a reference method, over given gradients and keep every step's parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

import gradwright
from gradwright.optimizer.recipe import registry
from gradwright.recipe.registry import specs

SHAPES = ((), (5,), (4, 3), (3, 5), (2, 3, 4), (4, 3, 2, 2))
Changes = Callable[[int], Mapping[str, Any]]


@dataclass
class Run:
    """``history[t - 1][i]`` is parameter ``i`` after step ``t``."""

    optimizer: torch.optim.Optimizer
    params: list[torch.nn.Parameter]
    history: list[list[np.ndarray]] = field(default_factory=list)

    @property
    def last(self) -> list[np.ndarray]:
        return self.history[-1]

    def state(self, key: str, index: int = 0) -> np.ndarray:
        return np.asarray(self.optimizer.state[self.params[index]][key])


def normals(shapes: Sequence[tuple[int, ...]], seed: int) -> list[np.ndarray]:
    """One array of standard normal numbers for each shape; the same on every machine."""
    stream = np.random.RandomState(seed)
    return [np.asarray(stream.standard_normal(shape)) for shape in shapes]


def gradients(shapes: Sequence[tuple[int, ...]], steps: int, seed: int) -> list[list[np.ndarray]]:
    """A list for each step; sizes differ from tensor to tensor and from step to step."""
    sizes = np.exp(np.random.RandomState(seed).standard_normal((steps, len(shapes))))
    return [[size * g for size, g in zip(sizes[t], normals(shapes, 1000 * seed + t + 1))] for t in range(steps)]


def run(
    optimizer: Callable[..., torch.optim.Optimizer],
    starts: Sequence[Any],
    steps: Sequence[Sequence[Any]],
    *,
    dtype: torch.dtype = torch.float64,
    roles: Sequence[str] | None = None,
    losses: Sequence[float] | None = None,
    changes: Changes | None = None,
    **knobs: Any,
) -> Run:
    """Step through ``steps``, each a list of one gradient (or None) for every tensor of ``starts``.

    ``changes(t)`` are the entries that every param group is given before step ``t``. Recipes run eagerly: that run is
    the definition, to which the contract holds the other engines.
    """
    if isinstance(optimizer, type) and issubclass(optimizer, gradwright.Optimizer):
        knobs = {"engine": "eager", **knobs}
    params = [torch.nn.Parameter(torch.tensor(np.asarray(start), dtype=dtype)) for start in starts]
    groups: Any = params
    if roles is not None:
        groups = [{"params": [param], "role": role} for param, role in zip(params, roles)]
    walk = Run(optimizer(groups, **knobs), params)
    for t, step in enumerate(steps, start=1):
        for group in walk.optimizer.param_groups:
            group.update(changes(t) if changes else {})
        for param, g in zip(params, step):
            param.grad = None if g is None else torch.tensor(np.asarray(g), dtype=dtype)
        walk.optimizer.step(**({} if losses is None else {"loss": losses[t - 1]}))
        walk.history.append([param.detach().to(torch.float64).numpy().copy() for param in params])
    return walk


def follow(
    method: Callable[..., np.ndarray],
    start: Any,
    steps: Sequence[Any],
    *,
    losses: Sequence[float] | None = None,
    changes: Changes | None = None,
    **knobs: Any,
) -> list[np.ndarray]:
    """What a reference method makes of one tensor and its gradients, step by step."""
    p, state, history = np.asarray(start, dtype=np.float64), {}, []
    for t, g in enumerate(steps, start=1):
        now = {**knobs, **(changes(t) if changes else {}), **({} if losses is None else {"loss": losses[t - 1]})}
        p = method(state, p, np.asarray(g, dtype=np.float64), **now)
        history.append(np.asarray(p))
    return history


def distance(found: Any, expected: Any) -> float:
    """The largest difference, relative to the largest entry of ``expected``."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if found.shape != expected.shape or not np.isfinite(found).all():
        return np.inf
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300))


@contextmanager
def as_recipe(build: Callable[..., Any]) -> Iterator[type[gradwright.Recipe[...]]]:
    """An optimizer class of ``build`` (hyper-parameters -> chain) that no other test sees."""
    made = gradwright.recipe()(build)
    try:
        yield made
    finally:
        del registry[made.recipe_name], specs[made.recipe_name]
