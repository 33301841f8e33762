"""Who holds what: the names of parameters, and what is known of them beside their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gradwright.core.policy import WEIGHTS
from gradwright.observe.forward import plain_name
from gradwright.observe.record import Held
from gradwright.observe.settings import name_of


def names_of(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> dict[Tensor, str]:
    """The model's parameters in its order, then what only optimizers hold; those that have a shape."""
    names = {param: plain_name(name) for name, param in model.named_parameters() if not is_lazy(param)}
    for optimizer in optimizers:
        for index, group in enumerate(optimizer.param_groups):
            for at, param in enumerate(group["params"]):
                if param not in names and not is_lazy(param):
                    names[param] = f"{name_of(optimizer, group)}.{index}[{at}]"
    return names


def held_by_name(
    model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], names: dict[Tensor, str]
) -> dict[str, Held]:
    """What is known of each parameter."""
    mine = set(model.parameters())
    holders = {
        param: {"optimizer": name_of(optimizer, group), "group": index, "weights": _kept(group)}
        for optimizer in optimizers
        for index, group in enumerate(optimizer.param_groups)
        for param in group["params"]
    }
    return {
        name: Held(
            tuple(param.shape),
            str(param.dtype).removeprefix("torch."),
            in_model=param in mine,
            trainable=param.requires_grad,
            **holders.get(param, {}),
        )
        for param, name in names.items()
    }


def _kept(group: dict[str, Any]) -> str:
    """How a group keeps its weights, where it says so in gradwright's way."""
    return str(group["weights"]) if group.get("recipe") and group.get("weights") in WEIGHTS else "plain"


def group_names(optimizers: Sequence[torch.optim.Optimizer]) -> dict[tuple[int, int], str]:
    """A name for each group of each optimizer: ``"AdamW.0"``, and ``"AdamW#2.0"`` for the second of that class."""
    found: dict[tuple[int, int], str] = {}
    taken: set[str] = set()
    for which, optimizer in enumerate(optimizers):
        for index, group in enumerate(optimizer.param_groups):
            name = f"{name_of(optimizer, group)}.{index}"
            found[which, index] = name = (
                name if name not in taken else f"{name_of(optimizer, group)}#{which + 1}.{index}"
            )
            taken.add(name)
    return found
