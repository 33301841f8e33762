"""Nuisances: what should not matter to an optimizer, added to any task."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from gradwright.study.tasks.task import Session, Task
from gradwright.study.tasks.unknown import unknown

KINDS: Mapping[str, str] = {
    "loss": "the training loss is multiplied by it",
    "init": "the first weights are multiplied by it",
    "input": "what the model reads is multiplied by it, numbers and not symbols",
    "weights": "every weight is stored divided by it: the same model in other units",
    "batch": "the number of samples in a batch",
    "steps": "the number of steps is multiplied by it",
}
"""What may be changed, and what the number means."""

NEUTRAL = ("loss", "init", "input", "weights")
"""What leaves the problem as it is: another unit, or another start."""


def read_nuisance(text: str) -> dict[str, float]:
    """The numbers of a text such as ``"loss=1e-6,init=0.25"``.

    Raises:
        ValueError: a word is unknown (with the nearest), named twice, or its number is not one above 0.

    >>> read_nuisance("loss=1e-6, batch=8")
    {'loss': 1e-06, 'batch': 8.0}
    """
    found: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, sign, number = (part.strip() for part in item.partition("="))
        if name not in KINDS:
            raise unknown("nuisance", name, KINDS)
        if name in found:
            raise ValueError(f"nuisance names {name!r} twice: name it once")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not sign or not 0 < value < math.inf or (name == "batch" and value % 1):
            kind = "whole number above 0" if name == "batch" else "number above 0"
            raise ValueError(f"nuisance {item!r}: give a {kind}, such as {name}={8 if name == 'batch' else 10}")
        found[name] = value
    if not found:
        raise ValueError(f"nuisance {text!r} changes nothing: give one of {', '.join(KINDS)}, such as loss=1e-6")
    return found


def written(nuisance: str | Mapping[str, float] | None) -> str | None:
    """The text of a nuisance that may be a dictionary."""
    if nuisance is None or isinstance(nuisance, str):
        return nuisance
    return ",".join(f"{name}={value}" for name, value in nuisance.items())


def with_nuisance(task: Task, nuisance: Mapping[str, float]) -> Task:
    """The task with these nuisances: the same weights, batches and metrics but for what they change.

    Args:
        task: any task.
        nuisance: as :func:`read_nuisance` has it.

    Raises:
        ValueError: the task has no batches, or no usual number of steps, that could be changed.
    """
    changes = dict(nuisance)
    start: Callable[..., Session] = task.start
    if "batch" in changes:
        if "batch" not in inspect.signature(start).parameters:
            raise ValueError(f"nuisance batch: the task {task.name!r} has no batches whose size could be changed")
        size = int(changes.pop("batch"))
        start = _with(start, batch=size)
    steps = task.steps
    if "steps" in changes:
        if steps is None:
            raise ValueError(f"nuisance steps: the task {task.name!r} has no usual number of steps; give a budget")
        steps = max(1, round(steps * changes.pop("steps")))
    words = ",".join(f"{name}={value:g}" for name, value in nuisance.items())
    return replace(
        task,
        name=f"{task.name}[{words}]",
        description=f"{task.description} Changed: {words}.",
        start=lambda seed: _changed(start(seed), changes),
        steps=steps,
        drawn_as=task.seeded,
    )


def _with(start: Callable[..., Session], **arguments: Any) -> Callable[[int], Session]:
    return lambda seed: start(seed, **arguments)


def _changed(session: Session, changes: Mapping[str, float]) -> Session:
    model = session.model
    if (share := changes.get("init")) is not None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(share)
    if (unit := changes.get("weights")) is not None:
        for module in list(model.modules()):
            for name in [name for name, _ in module.named_parameters(recurse=False)]:
                register_parametrization(module, name, _InUnits(unit))
    if (factor := changes.get("input")) is not None:
        model.register_forward_pre_hook(lambda _, inputs: tuple(_times(each, factor) for each in inputs))
    if (scale := changes.get("loss")) is None:
        return session
    loss = session.loss
    return replace(session, loss=lambda step: scale * loss(step))


def _times(value: Any, factor: float) -> Any:
    return value * factor if isinstance(value, Tensor) and value.is_floating_point() else value


class _InUnits(nn.Module):
    """W = c V, where V is what is trained."""

    def __init__(self, unit: float) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, stored: Tensor) -> Tensor:
        return self.unit * stored

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / self.unit
