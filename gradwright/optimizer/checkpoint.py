"""Checkpoints: check a state_dict against an optimizer, whole, before anything of the optimizer changes."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.parameter import is_lazy

from gradwright.core import HostScalar, Slot
from gradwright.core.number import as_float, shown
from gradwright.core.spec import WEIGHTS
from gradwright.core.warn import warn_user
from gradwright.engine.rows import AGES, slots_beside
from gradwright.optimizer import foreign
from gradwright.optimizer.arrays import fresh, names_of, new_arrays
from gradwright.optimizer.groups import OWN_KEYS
from gradwright.optimizer.matching import OF_THE_MODEL, matched
from gradwright.optimizer.saved import Saved, check_distinct
from gradwright.optimizer.saved_formats import SavedEntry, saved_tensor, tell_of_conversions

if TYPE_CHECKING:
    from gradwright.optimizer.optimizer import Optimizer

EXTRA_STATE = {"step", "training_weights"}


def restored(optimizer: Optimizer, saved: Saved) -> tuple[dict[Tensor, dict[str, Any]], list[dict[str, Any]]]:
    """The state and groups that ``optimizer`` would have after loading what was saved.

    Tensors are copied, never aliased, to the parameter's device and in their declared type. A shared value becomes one
    tensor again. A parameter of which nothing was saved starts afresh. Which entry belongs to which
    parameter, and which hyper-parameters a group takes, is said in :func:`~gradwright.optimizer.matching.matched`.

    Keys that this version does not know, of a group or of a parameter's state, are left out with a warning.

    Raises:
        ValueError: it does not fit, or holds what no step could use; names the group or the parameter, the key and the
            value.
    """
    match = matched(optimizer.param_groups, saved, type(optimizer).__name__)
    check_distinct(saved)
    clock = max((_clock(index, group) for index, group in enumerate(saved.groups)), default=0)
    state: dict[Tensor, dict[str, Any]] = {}
    new_groups = []
    shared: dict[str, Tensor] = {}
    converted: dict[str, tuple[str, str]] = {}
    unknown: list[tuple[Tensor, dict[str, Slot | HostScalar]]] = []
    for group, keys, index in zip(optimizer.param_groups, match.keys, match.groups):
        new_group = {**group, "clock": clock} if index is None else _merged_group(index, group, saved.groups[index])
        new_groups.append(new_group)
        slots_of = _slots_of(optimizer, new_group, index)
        for param, key in zip(group["params"], keys):
            if key is None or key not in saved.state:
                if not is_lazy(param):
                    unknown.append((param, slots_of(param)))
                continue
            if is_lazy(param):
                raise ValueError(
                    f"state_dict holds state of {shown(key)}, a parameter that has no shape yet: run the model once on "
                    "a batch, so that its lazy modules are made, and load then"
                )
            entry = SavedEntry(param, optimizer.spec_of(param), saved.state[key], converted)
            slots = slots_beside(entry.found, slots_of(param), entry.spec)
            state[param] = _restored_tensors(entry, slots, shared, foreign.wrapped_state(new_group))
    for param, slots in unknown:
        state[param] = _fresh(optimizer, param, slots, shared)
    tell_of_conversions(converted)
    return state, new_groups


def _merged_group(index: int, group: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """The group with the hyper-parameters of a saved one, and its own parameters."""
    known = OWN_KEYS | foreign.KEYS | group.keys()
    if foreign.wrapped_state(group):
        known |= foreign.OF_WRAPPERS
    for key in sorted(saved.keys() - known, key=str):
        warn_user(
            f"state_dict group {index} has {key!r}={shown(saved[key])}, which this version of {group['recipe']} does "
            "not know; it is left out"
        )
    return {**group, **{k: deepcopy(v) for k, v in saved.items() if k in known and k not in OF_THE_MODEL}}


def _slots_of(optimizer: Optimizer, group: dict[str, Any], index: int | None) -> Any:
    """What the optimizer keeps for each parameter of a group to come, all of whose settings are checked first."""
    try:
        foreign.check(group["recipe"], group, saved=True)
        foreign.flag(group["recipe"], "maximize", group["maximize"])
        chain = optimizer.recipe_spec_of(group).chain(group)
        for param in group["params"]:
            if not is_lazy(param):
                chain.check(optimizer.spec_of(param))
        return optimizer.slots_for(group)
    except (TypeError, ValueError) as refusal:
        whose = "these hyper-parameters" if index is None else f"state_dict group {index}"
        raise ValueError(f"{whose}: {refusal}") from None


def _clock(index: int, group: dict[str, Any]) -> int:
    """The steps that the optimizer had taken when a group was saved."""
    clock: Any = group.get("clock")
    if isinstance(clock, Tensor) and clock.numel() == 1 and not clock.is_complex():
        clock = clock.item()
    numeric = isinstance(clock, (int, float)) and not isinstance(clock, bool)
    if numeric and 0 <= clock < math.inf and clock == int(clock):
        return int(clock)
    found = shown(group["clock"]) if "clock" in group else "missing"
    raise ValueError(
        f"state_dict group {index}: 'clock' is {found}, expected the number of steps, a whole number from 0 on; "
        "the checkpoint is damaged"
    )


def _restored_tensors(
    entry: SavedEntry, slots: dict[str, Slot | HostScalar], shared: dict[str, Tensor], wrapped: frozenset[str]
) -> dict[str, Any]:
    name, found = entry.spec.name, entry.found
    if missing := sorted(slots.keys() - found.keys()):
        known = ", ".join(sorted(map(str, found))) or "nothing"
        raise ValueError(
            f"state_dict lacks {missing[0]!r} of {name}; it holds {known}. Was it saved by another recipe?"
        )
    read = {array for key in (WEIGHTS, *slots) for array in names_of(key, found)}
    for key in sorted(found.keys() - read - EXTRA_STATE - wrapped, key=str):
        expected = ", ".join(sorted(slots)) or "none"
        warn_user(
            f"state_dict holds {key!r} of {name}, which this recipe does not keep (it keeps {expected}); it is left out"
        )
    state: dict[str, Any] = {"step": _step(name, found)}
    for key, slot in slots.items():
        if isinstance(slot, HostScalar):
            state[key] = _number(name, key, found[key])
            continue
        state.update(entry.slot(key, slot))
        if key == AGES and state[key].numel() and int(state[key].min()) < 0:
            raise ValueError(f"state_dict: {key!r} of {name} holds {int(state[key].min())}; the checkpoint is damaged")
        if slot.shared:
            _check_shared(name, key, state[key], shared.setdefault(key, state[key]))
            state[key] = shared[key]
    state.update(entry.weights())
    for key in sorted({"training_weights", *wrapped} & found.keys()):
        state[key] = saved_tensor(name, key, found[key], entry.param.detach().clone())
    return state


def _check_shared(name: str, key: str, value: Tensor, first: Tensor) -> None:
    value = value.to(first.device)
    if not bool(((value == first) | (value.isnan() & first.isnan())).all()):
        raise ValueError(
            f"state_dict: {key!r} is shared by all parameters, and that of {name} is {shown(value)} where another's is "
            f"{shown(first)}; the checkpoint is put together of several"
        )


def _fresh(
    optimizer: Optimizer, param: Tensor, slots: dict[str, Slot | HostScalar], shared: dict[str, Tensor]
) -> dict[str, Any]:
    state: dict[str, Any] = {"step": 0.0}
    spec = optimizer.spec_of(param)
    for key, slot in slots.items():
        if isinstance(slot, HostScalar):
            state[key] = slot.start
            continue
        if slot.shared and key in shared:
            state[key] = shared[key]
            continue
        state.update(new_arrays(param, key, slot, spec))
        if slot.shared:
            shared[key] = state[key]
    state.update({name: fresh(param, buffer) for name, buffer in spec.weight_arrays.items()})
    return state


def _step(name: str, found: dict[str, Any]) -> float:
    if "step" not in found:
        raise ValueError(f"state_dict lacks 'step' of {name}; the checkpoint is damaged")
    step = _number(name, "step", found["step"])
    if step < 0 or step != step // 1:
        raise ValueError(
            f"state_dict: 'step' of {name} is {step:g}, expected a whole number from 0 on; the checkpoint is damaged"
        )
    return step


def _number(name: str, key: str, value: Any) -> float:
    try:
        number = float(value) if isinstance(value, Tensor) else as_float(key, value)
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
        if not isinstance(value, (float, Tensor)) or (isinstance(value, Tensor) and value.numel() != 1):
            raise ValueError(f"state_dict: {key!r} of {name} is {shown(value)}, expected a number") from None
    if not math.isfinite(number):
        raise ValueError(f"state_dict: {key!r} of {name} is {shown(value)}; the checkpoint is damaged")
    return number
