"""Saved: the outer form of a state_dict, checked before anybody reads what is in it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from gradwright.core.number import shown
from gradwright.core.warn import warn_user

WHAT = "give what the state_dict() of an optimizer returned"


@dataclass(frozen=True)
class Saved:
    """A state_dict of the right form.

    Args:
        groups: the saved groups, whose ``params`` are keys of ``state``.
        state: what was saved beside each parameter, by its key; a parameter without an entry has no state yet.
    """

    groups: list[dict[str, Any]]
    state: dict[Hashable, dict[str, Any]]

    @property
    def names(self) -> dict[str, tuple[int, Hashable]] | None:
        """For each parameter's name its group and its key; ``None`` where one has no name, or two have the same."""
        found: dict[str, tuple[int, Hashable]] = {}
        for index, group in enumerate(self.groups):
            names = group.get("param_names")
            if names is None and group["params"]:
                return None
            found.update({name: (index, key) for name, key in zip(names or (), group["params"])})
        return found if len(found) == sum(len(group["params"]) for group in self.groups) else None


def read(state_dict: Any) -> Saved:
    """A state_dict as :class:`Saved`.

    Raises:
        ValueError: it has not the form of one; says where.
    """
    refuse_no_dict(state_dict)
    if absent := [key for key in ("state", "param_groups") if key not in state_dict]:
        raise ValueError(f"state_dict has no {absent[0]!r}; {WHAT}")
    groups, state = state_dict["param_groups"], state_dict["state"]
    if not isinstance(groups, (list, tuple)):
        raise ValueError(f"state_dict: 'param_groups' is {_a(groups)}, expected a list of groups; {WHAT}")
    if not isinstance(state, Mapping):
        raise ValueError(f"state_dict: 'state' is {_a(state)}, expected a dict by parameter; {WHAT}")
    for index, group in enumerate(groups):
        _check_group(index, group)
    for key, entry in state.items():
        if not isinstance(entry, Mapping):
            raise ValueError(f"state_dict: the state of parameter {shown(key)} is {_a(entry)}, expected a dict; {WHAT}")
    return Saved(list(groups), dict(state))


def refuse_no_dict(state_dict: Any) -> Mapping[str, Any]:
    """What was given as a state_dict, if it is a mapping.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(state_dict, Mapping):
        raise ValueError(f"state_dict is {_a(state_dict)}; {WHAT}")
    return state_dict


def check_distinct(saved: Saved) -> None:
    """Refuse groups that list a parameter twice, and warn of state that none lists.

    Raises:
        ValueError: they do; names the parameter and both groups.
    """
    places: dict[Hashable, int] = {}
    for index, group in enumerate(saved.groups):
        for key in group["params"]:
            if key in places:
                raise ValueError(
                    f"state_dict group {index} lists the parameter {shown(key)}, which group {places[key]} lists too; "
                    "each parameter is saved once"
                )
            places[key] = index
    if homeless := [key for key in saved.state if key not in places]:
        warn_user(
            f"state_dict holds state for {', '.join(map(shown, homeless[:5]))}, which none of its groups lists; "
            "it is left out"
        )


def _check_group(index: int, group: Any) -> None:
    if not isinstance(group, Mapping):
        raise ValueError(f"state_dict group {index} is {_a(group)}, expected a dict; {WHAT}")
    params = group.get("params")
    if not isinstance(params, (list, tuple)):
        raise ValueError(f"state_dict group {index}: 'params' is {_a(params)}, expected a list of indices; {WHAT}")
    for key in params:
        if not isinstance(key, (int, str)) or isinstance(key, bool):
            raise ValueError(f"state_dict group {index}: 'params' holds {shown(key)}, expected an index; {WHAT}")
    names = group.get("param_names")
    if names is None:
        return
    if not isinstance(names, (list, tuple)) or any(not isinstance(name, str) for name in names):
        raise ValueError(f"state_dict group {index}: 'param_names' is {shown(names)}, expected a list of names")
    if len(names) != len(params):
        raise ValueError(f"state_dict group {index} has {len(names)} names for {len(params)} parameters; {WHAT}")


def _a(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
