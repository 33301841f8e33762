"""Tracked state: dictionaries that tell when somebody changes them, so that nobody has to look into all of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class Changes:
    """What is known of an optimizer's state for as long as nobody changes it.

    Attributes:
        count: how often something changed.
        held: for each reader the tensors that it found; gone at the first change, so that nothing is kept alive.
    """

    __slots__ = ("count", "held")

    def __init__(self) -> None:
        self.count = 0
        self.held: dict[int, list[Tensor]] = {}

    def note(self) -> None:
        self.count += 1
        self.held.clear()


class TrackedState(dict[str, Any]):
    """The state of one parameter.

    The engine writes step counts and host scalars past it, by ``dict.__setitem__``: it knows what it does. A copy, by
    ``copy`` or ``pickle``, is a plain dictionary.
    """

    __slots__ = ("changes",)

    def __init__(self, changes: Changes, *entries: Any) -> None:
        super().__init__(*entries)
        self.changes = changes
        changes.note()

    def __reduce__(self) -> Any:
        return dict, (dict(self),)

    def __setitem__(self, key: str, value: Any) -> None:
        self.changes.note()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.changes.note()
        super().__delitem__(key)

    def __ior__(self, other: Any) -> Any:
        self.changes.note()
        return super().__ior__(other)

    def clear(self) -> None:
        self.changes.note()
        super().clear()

    def pop(self, *arguments: Any) -> Any:
        self.changes.note()
        return super().pop(*arguments)

    def popitem(self) -> tuple[str, Any]:
        self.changes.note()
        return super().popitem()

    def setdefault(self, *arguments: Any) -> Any:
        self.changes.note()
        return super().setdefault(*arguments)

    def update(self, *arguments: Any, **named: Any) -> None:
        self.changes.note()
        super().update(*arguments, **named)
