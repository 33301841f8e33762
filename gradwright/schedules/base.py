"""Schedule: a pure function from the number of a step to a multiplier, and how schedules are joined."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from gradwright.core.number import LARGEST, as_float, shown


@dataclass(frozen=True)
class Schedule:
    """A multiplier of the learning rate for every step; ``a * b`` is the product and ``a.then(b)`` what follows.

    A subclass is a frozen dataclass that defines :meth:`multiplier`, and :attr:`length` where it has an end. Its fields
    annotated ``float``, ``bool`` and ``Schedule`` are checked to be such.

    Raises:
        TypeError: a field is of another kind.
        ValueError: a number is negative, not finite, or beyond single precision.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            label, value = f"{type(self).__name__}: {field.name}", getattr(self, field.name)
            if field.type == "float":
                number = as_float(label, value)
                if number < 0:
                    raise ValueError(f"{label}={value} must be a finite number from 0 on")
                if not isinstance(value, (int, float)):
                    object.__setattr__(self, field.name, number)
            elif field.type == "bool" and not isinstance(value, bool):
                raise TypeError(f"{label}={shown(value)} is a {type(value).__name__}; give True or False")
            elif field.type == "Schedule" and not isinstance(value, Schedule):
                raise TypeError(
                    f"{label}={shown(value)} is a {type(value).__name__}; give a schedule, such as Constant(0.5)"
                )

    def __call__(self, t: float) -> float:
        """The multiplier of step ``t`` ≥ 0, counted from 0; past its end a schedule keeps its last value.

        Raises:
            TypeError: ``t`` is no number.
            ValueError: it is negative, not finite, or beyond single precision.
        """
        if isinstance(t, bool) or not isinstance(t, (int, float)):
            t = as_float(f"{type(self).__name__}: t", t)
        if not 0 <= t <= LARGEST:
            raise ValueError(f"{type(self).__name__}: t={shown(t)} must be the number of a step, counted from 0")
        return float(self.multiplier(t))

    def multiplier(self, t: float) -> float:
        """The same for a ``t`` that is known to be a number from 0 on."""
        raise NotImplementedError

    @property
    def length(self) -> float:
        """The steps after which it changes no more; infinite where there is no such step."""
        return math.inf

    def then(self, following: Schedule, at: float | None = None) -> Schedule:
        """This schedule up to step ``at`` (its own length if not given), then ``following``, which counts from 0 again.

        Raises:
            ValueError: this schedule has no end and ``at`` is not given.
        """
        if at is None and (math.isinf(self.length) or isinstance(self, Constant)):
            raise ValueError(f"{type(self).__name__} has no end; say at which step the next one begins: then(..., at=)")
        return Then(self, following, self.length if at is None else at)

    def __mul__(self, other: Schedule | float) -> Schedule:
        return Product(self, other if isinstance(other, Schedule) else Constant(other))

    __rmul__ = __mul__

    def _needs_steps(self, name: str) -> None:
        if not getattr(self, name) > 0:
            raise ValueError(f"{type(self).__name__}: {name}={getattr(self, name)} must be above 0")


@dataclass(frozen=True)
class Constant(Schedule):
    """``value`` at every step."""

    value: float = 1.0

    def multiplier(self, t: float) -> float:
        return self.value

    @property
    def length(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Product(Schedule):
    """The product of two schedules, step by step; ``first * second`` makes it."""

    first: Schedule
    second: Schedule

    def multiplier(self, t: float) -> float:
        return self.first(t) * self.second(t)

    @property
    def length(self) -> float:
        return max(self.first.length, self.second.length)


@dataclass(frozen=True)
class Then(Schedule):
    """``first`` before step ``at``, then ``second`` from its beginning; ``first.then(second)`` makes it."""

    first: Schedule
    second: Schedule
    at: float

    def multiplier(self, t: float) -> float:
        return self.first(t) if t < self.at else self.second(t - self.at)

    @property
    def length(self) -> float:
        return self.at + self.second.length
