"""Param groups of the training solvers: what they may set, and which tensors they may hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

OF_THE_MODEL = ("params", "param_names")
"""Keys of a group that say which parameters it holds."""


class UnknownSetting(KeyError, ValueError):
    """A group is asked for, or given, what its optimizer does not use; a KeyError too, as for any dictionary."""

    def __str__(self) -> str:
        return str(self.args[0])


class Group(dict[str, Any]):
    """A param group that refuses what its optimizer would ignore, whoever sets or reads it: a scheduler, say.

    Args:
        entries: of the group.
        owner: what the optimizer is called.
        settings: what a group may set; each is a positive number.
        pace: what decides how far a step goes, for who looks for a learning rate.
    """

    owner = "this optimizer"
    settings: tuple[str, ...] | None = None  # None while copies are put together, item by item
    pace = ""

    def __init__(
        self, entries: Mapping[str, Any] = {}, owner: str = "", settings: tuple[str, ...] = (), pace: str = ""
    ) -> None:
        super().__init__()
        self.owner, self.settings, self.pace = owner, settings, pace
        self.update(entries)

    def __missing__(self, key: str) -> Any:
        raise UnknownSetting(self._sentence(key))

    def __setitem__(self, key: str, value: Any) -> None:
        if self.settings is not None and key not in OF_THE_MODEL:
            if key not in self.settings:
                raise UnknownSetting(self._sentence(key))
            check_positive(key, value)
        super().__setitem__(key, value)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *entries: Any, **more: Any) -> None:
        for key, value in dict(*entries, **more).items():
            self[key] = value

    def __ior__(self, entries: Any) -> Group:  # type: ignore[override, misc]
        self.update(entries)
        return self

    def _sentence(self, key: str) -> str:
        if key in (self.settings or ()):
            return f"this group of {self.owner} does not set {key!r}; read it with .get({key!r}, 1.0)"
        can = f"a group may set {', '.join(self.settings)}" if self.settings else "groups set nothing"
        text = f"{self.owner} does not use {key!r}, which a param group sets; {can}"
        if key in ("lr", "initial_lr", "max_lr"):
            text += (
                f". It has no learning rate: {self.pace} decides how far a step goes, so leave schedulers of a "
                f"learning rate out"
            )
        return text


def check_positive(key: str, value: Any) -> None:
    """Refuse what is no positive, finite number.

    Raises:
        ValueError: it is none; names it.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{key}={value!r} of a param group must be a positive number; 1.0 changes nothing")


def refuse_twice(params: Sequence[Tensor], taken: Iterable[Tensor], owner: str) -> None:
    """Refuse a parameter that is given twice: the flat vector would hold its numbers twice.

    Raises:
        ValueError: it is; names its place.
    """
    seen = {id(tensor) for tensor in taken}
    for index, tensor in enumerate(params):
        if id(tensor) in seen:
            shape = "" if nn.parameter.is_lazy(tensor) else f" of {tuple(tensor.shape)}"
            raise ValueError(
                f"{owner}: entry {index} of params, a tensor{shape}, is given twice; give each parameter once, also "
                f"where several modules share it"
            )
        seen.add(id(tensor))


def names_of(groups: Iterable[Mapping[str, Any]]) -> dict[Tensor, str]:
    """What to call each parameter: by its name, or by its number over all groups."""
    found: dict[Tensor, str] = {}
    for group in groups:
        names = group.get("param_names") or [None] * len(group["params"])
        for parameter, name in zip(group["params"], names):
            found[parameter] = f"parameter {len(found)}" if name is None else name
    return found
