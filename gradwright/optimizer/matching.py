"""Matching: which saved entry belongs to which parameter, and which saved group to which group."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from gradwright.core import policy
from gradwright.core.warn import warn_user
from gradwright.optimizer.saved import Saved

OF_THE_MODEL = frozenset({"params", "param_names", "roles", "role", *policy.KEYS})
"""Keys of a group that say which parameters it holds and in which format, and not how they are stepped."""


@dataclass(frozen=True)
class Match:
    """What a state_dict has for each group of an optimizer.

    Args:
        keys: for each group and each of its parameters the key of the saved entry; ``None`` where there is none.
        groups: for each group the index of the saved one whose hyper-parameters it takes; ``None`` where it keeps its
            own.
    """

    keys: list[list[Hashable]]
    groups: list[int | None]


def matched(groups: list[dict[str, Any]], saved: Saved, owner: str) -> Match:
    """Match by name where both sides have a name for every parameter, whatever the groups; otherwise by order.

    Args:
        groups: the optimizer's.
        saved: what was read.
        owner: the name of the optimizer's class, for the errors.

    By name, a group takes the hyper-parameters of the saved group that held the same parameters. If the parameters are
    grouped anew, it takes those of the saved group at its place where there are as many groups as were saved, and
    otherwise keeps its own; both with a warning. Where only some names agree, the other parameters start afresh, with
    a warning; where none does, the model was renamed, and the order decides, with a warning.

    Raises:
        ValueError: the order has to decide, and numbers of groups or parameters differ; or a parameter was saved by
            another recipe.
    """
    there = saved.names
    here = Saved([{**group, "params": range(len(group["params"]))} for group in groups], {}).names
    if there and here and not here.keys().isdisjoint(there):
        return _by_name(groups, saved, there, list(here))
    match = _by_order(groups, saved, owner)
    if there and here:
        strange = next(iter(here))
        warn_user(
            f"state_dict knows none of the parameters' names (no {strange!r}; it has {next(iter(there))!r}); matching "
            "by order instead"
        )
    return match


def _by_order(groups: list[dict[str, Any]], saved: Saved, owner: str) -> Match:
    if len(groups) != len(saved.groups):
        raise ValueError(
            f"state_dict has {len(saved.groups)} parameter groups, this {owner} has {len(groups)}; "
            "build the optimizer with the groups it was saved with, or give named_parameters() on both sides"
        )
    for index, (group, other) in enumerate(zip(groups, saved.groups)):
        if len(group["params"]) != len(other["params"]):
            raise ValueError(
                f"state_dict group {index} has {len(other['params'])} parameters, the optimizer's has "
                f"{len(group['params'])}; load it into an optimizer over the same model"
            )
        if other.get("recipe", group["recipe"]) != group["recipe"]:
            raise ValueError(
                f"state_dict group {index} was saved by {other['recipe']}, this group runs {group['recipe']}; "
                f"load it into {other['recipe']}"
            )
    return Match([list(other["params"]) for other in saved.groups], list(range(len(groups))))


def _by_name(
    groups: list[dict[str, Any]], saved: Saved, there: dict[str, tuple[int, Hashable]], here: list[str]
) -> Match:
    absent = [name for name in here if name not in there]
    left = sorted(there.keys() - set(here))
    if absent or left:
        parts = [f"starts {_some(absent)} afresh"] if absent else []
        parts += [f"leaves out {_some(left)}"] if left else []
        warn_user(f"state_dict has other parameters than this optimizer: loading {' and '.join(parts)}")
    for group in groups:
        for name in group.get("param_names") or ():
            recipe = saved.groups[there[name][0]].get("recipe") if name in there else None
            if recipe not in (None, group["recipe"]):
                raise ValueError(
                    f"state_dict: {name} was saved by {recipe}, and its group runs {group['recipe']}; load it into "
                    f"{recipe}"
                )
    keys = [[there[name][1] if name in there else None for name in group.get("param_names") or ()] for group in groups]
    return Match(keys, _settings(groups, saved, there))


def _settings(groups: list[dict[str, Any]], saved: Saved, there: dict[str, tuple[int, Hashable]]) -> list[int | None]:
    """For each group the saved group whose hyper-parameters it takes."""
    held = [frozenset(name for name in group.get("param_names") or () if name in there) for group in groups]
    owners = [frozenset(group.get("param_names") or ()) for group in saved.groups]
    known = frozenset().union(*held)
    homes = {names & known: index for index, names in enumerate(owners)}
    found = [homes.get(names) if names else None for names in held]
    if all(index is not None for index, names in zip(found, held) if names) and len(set(found)) == len(found):
        return found
    alike = len(groups) == len(saved.groups)
    if alike and all(_hyper(one) == _hyper(saved.groups[0]) for one in saved.groups[1:]):
        return list(range(len(groups)))
    if alike:
        warn_user(
            "state_dict was saved with the parameters in other groups: each group takes the hyper-parameters of the "
            "saved group at its place"
        )
        return list(range(len(groups)))
    warn_user(
        f"state_dict has {len(saved.groups)} parameter groups where the optimizer has {len(groups)}: state is taken by "
        "name, and the groups keep their own hyper-parameters"
    )
    return [None] * len(groups)


def _hyper(group: dict[str, Any]) -> dict[str, Any]:
    return {key: repr(value) for key, value in group.items() if key not in OF_THE_MODEL}


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
