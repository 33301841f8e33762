"""Saving and resuming: everything that a solver remembers, by parameter, checked whole before anything changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gradwright.core.number import shown
from gradwright.optimizer.saved import Saved, check_distinct, read
from gradwright.solvers.optimizers.groups import OF_THE_MODEL, Group, names_of

if TYPE_CHECKING:
    from gradwright.solvers.optimizers.base import CurvatureOptimizer

Entries = dict[str, Tensor]


def _number(low: float, high: float = math.inf) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


NUMBERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "steps": (lambda value: type(value) is int and value >= 0, "a whole number from 0 on"),
    "check": (lambda value: isinstance(value, bool), "True or False"),
    "best_value": (_number(-math.inf), "a number"),
    "radius": (lambda value: value is None or (_number(0.0)(value) and value > 0), "a positive number or None"),
    "largest": (_number(0.0), "a number from 0 on"),
    "damping": (lambda value: _number(0.0)(value) and value > 0, "a positive number"),
}
"""What the numbers of a solver's memory may be."""


@dataclass(frozen=True)
class Restored:
    """What an optimizer holds after loading: nothing of it is shared with what was saved."""

    numbers: dict[str, Any]
    state: dict[Tensor, Entries]
    groups: list[Group]


def packed(optimizer: CurvatureOptimizer, entries: Mapping[Tensor, Entries]) -> dict[str, Any]:
    """A state_dict: groups and the entries of each parameter as torch has them, the solver's numbers beside them.

    Args:
        optimizer: whose.
        entries: what is kept for each parameter; those of parameters in no group are left out.
    """
    ids: dict[Tensor, int] = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            ids[parameter] = len(ids)
    groups = [
        {**group, "params": [ids[parameter] for parameter in group["params"]]} for group in optimizer.param_groups
    ]
    state = {
        index: {key: value.clone() for key, value in entries[parameter].items()}
        for parameter, index in ids.items()
        if entries.get(parameter)
    }
    shapes = [list(parameter.shape) for parameter in ids]
    solver = {"kind": type(optimizer).__name__, "shapes": shapes, **optimizer.numbers}
    return {"state": state, "param_groups": groups, "solver": solver}


def restored(optimizer: CurvatureOptimizer, state_dict: Any) -> Restored:
    """What ``optimizer`` would hold after loading, checked against its parameters.

    Raises:
        ValueError: it was saved by another optimizer, belongs to other parameters, or is damaged; says what differs.
    """
    saved = read(state_dict)
    check_distinct(saved)
    owner = type(optimizer).__name__
    numbers = _numbers(optimizer, state_dict.get("solver"), owner)
    places = _places(optimizer, saved, owner)
    shapes, numbering = numbers.pop("shapes"), {key: i for i, key in enumerate(_keys(saved))}
    if len(shapes) != len(numbering):
        raise ValueError(f"state_dict has {len(shapes)} shapes for {len(numbering)} parameters; it is damaged")
    state: dict[Tensor, Entries] = {}
    names = names_of(optimizer.param_groups)
    for parameter, key in places.items():
        shape = tuple(shapes[numbering[key]])
        if shape != tuple(parameter.shape):
            raise ValueError(
                f"state_dict: {names[parameter]} had the shape {shape} when it was saved, here it is "
                f"{tuple(parameter.shape)}; load it into a {owner} of the same model"
            )
        state[parameter] = _entries(optimizer, parameter, names[parameter], saved.state.get(key, {}))
    if (numbers["best_value"] < math.inf) != any("best" in entries for entries in state.values()):
        raise ValueError(f"state_dict: best_value={numbers['best_value']} and the best weights disagree; it is damaged")
    return Restored(numbers, state, _groups(optimizer, saved, places))


def _numbers(optimizer: CurvatureOptimizer, solver: Any, owner: str) -> dict[str, Any]:
    expected = set(optimizer.numbers) | {"kind", "shapes"}
    if not isinstance(solver, Mapping):
        raise ValueError(f"state_dict holds no solver state; give what {owner}.state_dict() returned")
    if set(solver) != expected:
        whose = f"was saved by {solver['kind']}" if "kind" in solver else f"holds the solver state {sorted(solver)}"
        raise ValueError(f"state_dict {whose}; give what {owner}.state_dict() returned")
    for key, value in solver.items():
        fine, words = NUMBERS.get(key, (lambda _: True, ""))
        if not fine(value):
            raise ValueError(f"state_dict: {key}={shown(value)} of the solver must be {words}; it is damaged")
    numbers = {key: value for key, value in solver.items() if key != "kind"}
    optimizer.check_numbers(numbers)
    return numbers


def _keys(saved: Saved) -> list[Hashable]:
    return [key for group in saved.groups for key in group["params"]]


def _places(optimizer: CurvatureOptimizer, saved: Saved, owner: str) -> dict[Tensor, Hashable]:
    """The key of each parameter's saved entries: by name where both sides have names, otherwise by order."""
    groups = optimizer.param_groups
    here = [name for group in groups for name in group.get("param_names") or ()]
    there = saved.names
    if here and there:
        differing = sorted(set(here) ^ set(there))
        if differing:
            where = "saved and not here" if differing[0] in there else "here and was not saved"
            raise ValueError(
                f"state_dict belongs to other parameters: {differing[0]!r} is {where}; load it into a {owner} of the "
                f"same model"
            )
        return {p: there[name][1] for group in groups for p, name in zip(group["params"], group["param_names"])}
    sizes, saved_sizes = ([len(group["params"]) for group in each] for each in (groups, saved.groups))
    if sizes != saved_sizes:
        raise ValueError(
            f"state_dict has groups of {saved_sizes} parameters, this {owner} has {sizes}; make it with the groups it "
            f"was saved with, or give named_parameters() on both sides, so that names decide"
        )
    return dict(zip((p for group in groups for p in group["params"]), _keys(saved)))


def _entries(optimizer: CurvatureOptimizer, parameter: Tensor, name: str, found: Mapping[str, Any]) -> Entries:
    entries: Entries = {}
    for key, value in found.items():
        rows = optimizer.vectors.get(key)
        if rows is None:
            known = ", ".join(optimizer.vectors)
            raise ValueError(
                f"state_dict holds {key!r} of {name}, which this optimizer does not keep; it keeps {known}"
            )
        shape = (*rows, *parameter.shape)
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.is_meta or value.is_sparse:
            kind = f"{value.dtype} on {value.device}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise ValueError(f"state_dict: {key!r} of {name} is {kind}; it must be a dense floating-point tensor")
        if tuple(value.shape) != shape:
            raise ValueError(f"state_dict: {key!r} of {name} has the shape {tuple(value.shape)}, expected {shape}")
        if key != "best" and not bool(value.isfinite().all()):
            raise ValueError(f"state_dict: {key!r} of {name} holds numbers that are not finite; it is damaged")
        dtype = parameter.dtype if key == "best" else value.dtype
        entries[key] = value.detach().to(parameter.device, dtype, copy=True)
    return entries


def _groups(optimizer: CurvatureOptimizer, saved: Saved, places: Mapping[Tensor, Hashable]) -> list[Group]:
    """This optimizer's groups, each with the settings of the saved group that held the same parameters."""
    homes = {frozenset(group["params"]): group for group in saved.groups}
    found = []
    for index, group in enumerate(optimizer.param_groups):
        home = homes.get(frozenset(places[parameter] for parameter in group["params"]))
        if home is None:
            raise ValueError(
                f"state_dict was saved with other groups: none held just the parameters of group {index}; make the "
                f"optimizer with the groups it was saved with"
            )
        model = {key: group[key] for key in OF_THE_MODEL if key in group}
        settings = {key: value for key, value in home.items() if key not in OF_THE_MODEL}
        found.append(optimizer.group({**settings, **model}))
    return found
