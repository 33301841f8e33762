"""Checkpoints: check a state_dict against an optimizer, whole, before anything of the optimizer changes."""

from __future__ import annotations

import math
import warnings
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gradwright.core import Number, Slot

if TYPE_CHECKING:
    from gradwright.optimizer.optimizer import Optimizer

StateDict = dict[str, Any]
EXTRA_STATE = {"step", "training_weights"}


def restored(optimizer: Optimizer, state_dict: StateDict) -> tuple[dict[Tensor, dict[str, Any]], list[dict[str, Any]]]:
    """The state and groups that ``optimizer`` would have after loading ``state_dict``.

    Tensors are copied, never aliased, to the parameter's device and in their declared type. A shared value becomes one
    tensor again. A parameter that the state_dict knows nothing of starts afresh. Groups keep their own ``params`` and
    take the saved hyper-parameters. Where both sides know the names of their parameters, tensors are matched by name,
    so that a reordered model keeps its state.

    Raises:
        ValueError: it does not fit; names the group, or the parameter, the slot, the expected and the found shape.
    """
    if absent := [key for key in ("state", "param_groups") if key not in state_dict]:
        raise ValueError(f"state_dict has no {absent[0]!r}; give what the state_dict() of an optimizer returned")
    groups, saved_groups = optimizer.param_groups, state_dict["param_groups"]
    if len(groups) != len(saved_groups):
        raise ValueError(
            f"state_dict has {len(saved_groups)} parameter groups, this {type(optimizer).__name__} has {len(groups)}; "
            "build the optimizer with the groups it was saved with"
        )
    state: dict[Tensor, dict[str, Any]] = {}
    new_groups = []
    shared: dict[str, Tensor] = {}
    unknown: list[tuple[Tensor, dict[str, Slot | Number]]] = []
    for index, (group, saved) in enumerate(zip(groups, saved_groups)):
        new_group = _merged_group(index, group, saved)
        new_groups.append(new_group)
        slots_of = optimizer.slots_for(new_group)
        for param, saved_index in zip(group["params"], _saved_order(index, group, saved)):
            found = state_dict["state"].get(saved_index)
            name = optimizer.spec_of(param).name
            if found is None:
                unknown.append((param, slots_of(param)))
                continue
            state[param] = _restored_tensors(optimizer, param, name, found, slots_of(param), shared)
    for param, slots in unknown:
        state[param] = _fresh(optimizer, param, slots, shared)
    return state, new_groups


def _merged_group(index: int, group: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    if len(group["params"]) != len(saved["params"]):
        raise ValueError(
            f"state_dict group {index} has {len(saved['params'])} parameters, the optimizer's has "
            f"{len(group['params'])}; load it into an optimizer over the same model"
        )
    if "recipe" in saved and saved["recipe"] != group["recipe"]:
        raise ValueError(
            f"state_dict group {index} was saved by {saved['recipe']}, this group runs {group['recipe']}; "
            f"load it into {saved['recipe']}"
        )
    return {
        **group,
        **{k: deepcopy(v) for k, v in saved.items() if k not in ("params", "param_names", "roles")},
    }


def _saved_order(index: int, group: dict[str, Any], saved: dict[str, Any]) -> list[Any]:
    """The saved indices in the order of this group's parameters."""
    names, saved_names = group.get("param_names"), saved.get("param_names")
    if names is None or saved_names is None or names == saved_names:
        return list(saved["params"])
    by_name = dict(zip(saved_names, saved["params"]))
    if set(names) == set(by_name) and len(names) == len(by_name):
        return [by_name[name] for name in names]
    strange = next(name for name in names if name not in by_name)
    warnings.warn(
        f"state_dict group {index} has other parameter names (no {strange!r}); matching by order instead",
        stacklevel=4,
    )
    return list(saved["params"])


def _restored_tensors(
    optimizer: Optimizer,
    param: Tensor,
    name: str,
    found: dict[str, Any],
    slots: dict[str, Slot | Number],
    shared: dict[str, Tensor],
) -> dict[str, Any]:
    if missing := sorted(slots.keys() - found.keys()):
        known = ", ".join(sorted(found)) or "nothing"
        raise ValueError(
            f"state_dict lacks {missing[0]!r} of {name}; it holds {known}. Was it saved by another recipe?"
        )
    if unknown := sorted(found.keys() - slots.keys() - EXTRA_STATE):
        expected = ", ".join(sorted(slots)) or "none"
        raise ValueError(
            f"state_dict holds {unknown[0]!r} of {name}, which this recipe does not keep (it keeps {expected})"
        )
    state: dict[str, Any] = {"step": _number(name, "step", found.get("step", 0.0))}
    for key, slot in slots.items():
        value = found[key]
        if isinstance(slot, Number):
            state[key] = _number(name, key, value)
            continue
        if slot.shared and key in shared:
            state[key] = shared[key]
            continue
        state[key] = _tensor(name, key, value, like=optimizer.new_slot(param, slot))
        if slot.shared:
            shared[key] = state[key]
    if "training_weights" in found:
        state["training_weights"] = _tensor(
            name, "training_weights", found["training_weights"], like=param.detach().clone()
        )
    return state


def _fresh(
    optimizer: Optimizer, param: Tensor, slots: dict[str, Slot | Number], shared: dict[str, Tensor]
) -> dict[str, Any]:
    state: dict[str, Any] = {"step": 0.0}
    for key, slot in slots.items():
        if isinstance(slot, Number):
            state[key] = slot.start
            continue
        state[key] = shared[key] if slot.shared and key in shared else optimizer.new_slot(param, slot)
        if slot.shared:
            shared[key] = state[key]
    return state


def _number(name: str, key: str, value: Any) -> float:
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"state_dict: {key!r} of {name} is {value!r}, expected a number") from None
    if not math.isfinite(value):
        raise ValueError(f"state_dict: {key!r} of {name} is {value}; the checkpoint is damaged")
    return value


def _tensor(name: str, key: str, value: Any, like: Tensor) -> Tensor:
    if not isinstance(value, Tensor):
        raise ValueError(f"state_dict: {key!r} of {name} is a {type(value).__name__}, expected a tensor")
    if value.shape != like.shape:
        raise ValueError(f"state_dict: {key!r} of {name} has shape {tuple(value.shape)}, expected {tuple(like.shape)}")
    with torch.no_grad():
        return like.copy_(value)
