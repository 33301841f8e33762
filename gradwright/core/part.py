"""Part: a frozen value whose float fields are knobs and whose other fields are structure."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from gradwright.core.number import WHOLE, as_float, as_whole
from gradwright.core.selector import parse

_P = TypeVar("_P", bound="Part")


@dataclass(frozen=True)
class Part:
    """Anything an optimizer is made of: transforms, moments, denominators.

    A subclass is a frozen dataclass. Fields annotated ``float`` are *knobs*: they may change at every step and are
    arguments of the kernel. A field that is a part itself contributes its own knobs. All other fields are
    *structure*: they choose the formula and are the kernel's cache key. Of these, fields annotated ``int`` are counts,
    and one called ``only`` is a selector of parameters.

    Class attributes:
        bounds: the admissible range of a knob or a count, as (lowest allowed, first too large). If not given, [0, inf)
            for a knob and [0, 2³¹) for a count: a count of iterations or of slots declares what a machine can bear.
        rates: the knobs of which the learning rate is a factor, and its power there: ``{"size": 1}``. What schedules
            a chain from within reads it. Where fields decide, a property takes its place.

    Raises:
        ValueError: a knob is not finite or out of bounds, a count out of bounds, or ``only`` no selector.
        TypeError: a knob is no number, or a count no whole one.
    """

    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {}
    rates: ClassVar[Mapping[str, int]] = {}

    def __post_init__(self) -> None:
        for name in knob_names(type(self)):
            value = getattr(self, name)
            if getattr(value, "is_symbol", False):
                continue
            if not isinstance(value, float):
                value = as_float(f"{type(self).__name__}: {name}", value)
            low, high = self.bounds.get(name, (0.0, math.inf))
            if not math.isfinite(value) or value < low or value >= high:
                raise ValueError(
                    f"{type(self).__name__}: {name}={value:g} is outside [{low:g}, {high:g}); "
                    "give a finite number in that range"
                )
            object.__setattr__(self, name, float(value))
        for name in count_names(type(self)):
            label = f"{type(self).__name__}: {name}"
            count = as_whole(label, getattr(self, name))
            low, high = self.bounds.get(name, (0, WHOLE))
            if count < low:
                raise ValueError(f"{label}={count} must be at least {low}")
            if count >= high:
                raise ValueError(f"{label}={count} must be below {high}")
            object.__setattr__(self, name, count)
        if isinstance(only := getattr(self, "only", None), str):
            try:
                parse(only)
            except ValueError as refusal:
                raise ValueError(f"{type(self).__name__}: only: {refusal}") from None

    def children(self) -> dict[str, Part]:
        """The parts among the fields, by field name."""
        return {name: getattr(self, name) for name in _part_fields(self)}

    def knobs(self) -> dict[str, float]:
        """The values of all knobs, by dotted name."""
        found = {name: getattr(self, name) for name in knob_names(type(self))}
        for name, child in self.children().items():
            found.update({f"{name}.{knob}": value for knob, value in child.knobs().items()})
        return found

    def all_rates(self) -> dict[str, int]:
        """Its own rates and those of every part inside, by dotted name."""
        found = dict(self.rates)
        for name, child in self.children().items():
            found.update({f"{name}.{knob}": power for knob, power in child.all_rates().items()})
        return found

    def map_knobs(self: _P, function: Callable[[str, float], Any], prefix: str = "") -> _P:
        """The same part with every knob replaced by ``function(dotted name, value)``."""
        new: dict[str, Any] = {n: function(prefix + n, getattr(self, n)) for n in knob_names(type(self))}
        new.update({n: child.map_knobs(function, f"{prefix}{n}.") for n, child in self.children().items()})
        return dataclasses.replace(self, **new) if new else self

    def structure(self) -> Hashable:
        """What chooses the formula: everything but the values of the knobs."""
        knobs = knob_names(type(self))
        values = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self) if f.name not in knobs)
        return type(self), tuple((name, v.structure() if isinstance(v, Part) else v) for name, v in values)


_knob_names: dict[type, tuple[str, ...]] = {}
_count_names: dict[type, tuple[str, ...]] = {}
_part_names: dict[type, str] = {}


def knob_names(cls: type) -> tuple[str, ...]:
    """The fields of a part that are annotated ``float``."""
    if cls not in _knob_names:
        _knob_names[cls] = tuple(f.name for f in dataclasses.fields(cls) if f.type in ("float", float))
    return _knob_names[cls]


def count_names(cls: type) -> tuple[str, ...]:
    """The fields of a part that are annotated ``int``."""
    if cls not in _count_names:
        _count_names[cls] = tuple(f.name for f in dataclasses.fields(cls) if f.type in ("int", int))
    return _count_names[cls]


def part_name(cls: type) -> str:
    """``TrustRatio`` is called ``trust_ratio`` in state keys."""
    if cls not in _part_names:
        _part_names[cls] = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    return _part_names[cls]


def _part_fields(part: Part) -> list[str]:
    return [f.name for f in dataclasses.fields(part) if isinstance(getattr(part, f.name), Part)]
