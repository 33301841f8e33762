"""Knob: one hyper-parameter of a recipe, what it may be, and the check of what was given for it."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import torch

from gradwright.core.number import WHOLE, as_float, as_whole, shown
from gradwright.core.spelling import nearest

_UNIONS = (typing.Union, types.UnionType)


@dataclass(frozen=True)
class Knob:
    """A hyper-parameter, as its annotation and its default describe it.

    Args:
        name: what it is called.
        default: what it is where nobody sets it.
        kinds: what it may be, out of ``float``, ``int``, ``bool``, ``str``, ``tuple`` and ``Literal``; empty where
            neither annotation nor default tells.
        entries: the type of the entries, where it may be a tuple: ``float`` or ``int``.
        length: the number of entries, where that is fixed.
        choices: the words it may be.
        optional: whether ``None`` is one of its values.
        signed: whether it may be negative.
        bounds: the admissible range as (lowest allowed, first too large), where the recipe declares one.
    """

    name: str
    default: Any
    kinds: frozenset[Any]
    entries: type = float
    length: int | None = None
    choices: tuple[Any, ...] = ()
    optional: bool = False
    signed: bool = False
    bounds: tuple[float, float] | None = None

    def checked(self, value: Any) -> Any:
        """The value as the recipe gets it.

        Raises:
            TypeError: it is of the wrong kind.
            ValueError: it is out of range, or no known word, or the tuple has the wrong length.
        """
        if value is None and self.optional:
            # schedulers and monitors take the momentum for a number, so that 0 is how "none" is written in a group
            return None
        if self.name == "momentum" and self.optional and not isinstance(value, (bool, str)):
            return self._number(self.name, value) or None
        if tuple in self.kinds and int not in self.kinds and isinstance(value, (tuple, list)):
            return self._tuple(value)
        if bool in self.kinds and not isinstance(value, bool):
            raise TypeError(f"{self.name}={shown(value)} is a {type(value).__name__}; give True or False")
        if float in self.kinds:
            return self._number(self.name, value)
        if self.kinds == {int}:
            return self._whole(self.name, value)
        if int in self.kinds and isinstance(value, list):
            return tuple(value)
        if self.kinds == {tuple}:
            needed = f"{self.length} numbers" if self.length else "a tuple of numbers"
            raise TypeError(f"{self.name}={shown(value)} must be {needed}, such as {self.default}")
        if str in self.kinds and not isinstance(value, str):
            raise TypeError(f"{self.name}={shown(value)} is a {type(value).__name__}; give a word in a string")
        return value if self.kinds else self._of_any_kind(value)

    def check_structure(self, value: Any) -> None:
        """Refuse a word, a count of blocks or a tuple that the parts took and the annotation does not have.

        Raises:
            TypeError, ValueError: it is none.
        """
        if value is None and self.optional:
            return
        if self.choices:
            self._check_choice(value)
        elif self.kinds == {int, tuple}:
            self._tuple(value) if isinstance(value, tuple) else self._whole(self.name, value)
        elif self.length is not None and isinstance(value, tuple) and len(value) != self.length:
            raise ValueError(f"{self.name}={shown(value)} has {len(value)} numbers where {self.length} are needed")

    def _of_any_kind(self, value: Any) -> Any:
        """Neither annotation nor default says what it is: numbers are checked, all else is the recipe's business."""
        if isinstance(value, (tuple, list)):
            return self._tuple(value)
        if isinstance(value, torch.Tensor) or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return self._number(self.name, value)
        return value

    def _tuple(self, value: Any) -> tuple[Any, ...]:
        if isinstance(self.default, tuple) and len(value) != self.length:
            raise ValueError(f"{self.name}={shown(value)} has {len(value)} numbers where {self.length} are needed")
        check = self._whole if self.entries is int else self._number
        return tuple(check(f"{self.name}[{at}]", entry) for at, entry in enumerate(value))

    def _number(self, label: str, value: Any) -> float:
        number = as_float(label, value)
        if self.bounds is not None and not self.bounds[0] <= number < self.bounds[1]:
            low, high = self.bounds
            raise ValueError(f"{label}={number:g} is outside [{low:g}, {high:g}); give a number in that range")
        if number < 0 and not self.signed:
            raise ValueError(f"{label}={number:g} is negative; give a number of at least 0")
        if self.name in ("betas", "momentum") and number >= 1:
            raise ValueError(f"{label}={number:g} must be below 1, or the average never forgets")
        return number

    def _whole(self, label: str, value: Any) -> int:
        count = as_whole(label, value)
        low, high = self.bounds or (-WHOLE if self.signed else 0, WHOLE)
        if not low <= count < high:
            raise ValueError(f"{label}={shown(count)} is outside [{low}, {high}); give a whole number in that range")
        return count

    def _check_choice(self, value: Any) -> None:
        if any(type(value) is type(word) and value == word for word in self.choices):
            return
        hint = nearest(value, map(str, self.choices)) if isinstance(value, str) else ""
        known = ", ".join(map(str, self.choices))
        error = ValueError if type(value) in map(type, self.choices) else TypeError
        raise error(f"{self.name}={shown(value)} is unknown; known are {known}; {hint or 'give one of them'}")


def knobs_of(build: Callable[..., Any], signed: frozenset[str], bounds: typing.Mapping[str, Any]) -> dict[str, Knob]:
    """The hyper-parameters of a recipe function by name, in order.

    Args:
        build: the function.
        signed: those that may be negative.
        bounds: the ranges that the recipe declares.
    """
    hints = hints_of(build)
    return {
        name: _knob(name, parameter.default, hints.get(name), name in signed, bounds.get(name))
        for name, parameter in inspect.signature(build).parameters.items()
    }


def hints_of(build: Callable[..., Any]) -> dict[str, Any]:
    """The annotations as types; without those that only a type checker can see."""
    try:
        return typing.get_type_hints(build)
    except (NameError, TypeError):
        found = {}
        for name, text in build.__annotations__.items():
            probe = types.FunctionType((lambda: None).__code__, getattr(build, "__globals__", {}))
            probe.__annotations__ = {name: text}
            try:
                found.update(typing.get_type_hints(probe))
            except (NameError, TypeError):
                continue
        return found


def _knob(name: str, default: Any, hint: Any, signed: bool, bounds: Any) -> Knob:
    if hint is None or hint is Any:
        hint = type(default) if isinstance(default, (bool, float, str, tuple)) else Any
    members = get_args(hint) if get_origin(hint) in _UNIONS else (hint,)
    kinds: set[Any] = set()
    choices: tuple[Any, ...] = ()
    entries: type = float
    length: int | None = None
    for member in members:
        origin = get_origin(member) or member
        if origin is Literal:
            choices += get_args(member)
        elif origin is tuple:
            inner = get_args(member)
            entries = int if inner and inner[0] is int else float
            length = len(inner) if inner and inner[-1] is not Ellipsis else None
            length = len(default) if not inner and isinstance(default, tuple) else length
        if origin in (float, int, bool, str, tuple, Literal):
            kinds.add(origin)
    if kinds == {int, float}:  # a whole number is a float too, but for a bool
        kinds = {float}
    if choices and kinds != {Literal}:
        choices = ()
    optional = default is None or type(None) in members
    return Knob(name, default, frozenset(kinds), entries, length, choices, optional, signed, bounds)
