"""Axes: where a value stands, from 0 to 1, and which values are written beside."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from gradwright.observe.page.words import number, per_cent, power_of_ten

LOGARITHMIC_FROM = 4.0
"""The ratio of the largest to the smallest value from which on a logarithmic axis shows more."""


class Axis(Protocol):
    """One axis of a chart."""

    def place(self, value: float) -> float:
        """Where the value stands: 0 at the low end, 1 at the high one; between them where it lies outside."""
        ...

    def ticks(self) -> list[tuple[float, str]]:
        """Places and words of a handful of ticks."""
        ...


@dataclass(frozen=True)
class Linear:
    """Equal steps from ``low`` to ``high``; ``share`` writes ticks in per cent, ``whole`` has none between integers."""

    low: float
    high: float
    share: bool = False
    whole: bool = False

    def place(self, value: float) -> float:
        return _between((value - self.low) / (self.high - self.low)) if self.high > self.low else 0.5

    def ticks(self) -> list[tuple[float, str]]:
        step = _round_step((self.high - self.low) / 4)
        step = max(1.0, step) if self.whole else step
        if not step:
            return [(0.5, number(self.low))]
        values = [k * step for k in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)]
        words = [per_cent(value) if self.share else number(value, 6 if self.whole else 4) for value in values]
        return [(self.place(value), word) for value, word in zip(values, words)]


@dataclass(frozen=True)
class Logarithmic:
    """Equal ratios from ``low`` to ``high``, both positive."""

    low: float
    high: float

    def place(self, value: float) -> float:
        if not value > 0:
            return 0.0
        return _between(math.log(value / self.low) / math.log(self.high / self.low)) if self.high > self.low else 0.5

    def ticks(self) -> list[tuple[float, str]]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        if last - first >= 2:
            every = math.ceil((last - first + 1) / 5)
            return [(self.place(10.0**k), power_of_ten(k)) for k in range(first, last + 1) if k % every == 0]
        values = (part * 10.0**k for k in range(first - 1, last + 1) for part in (1, 1.5, 2, 3, 5, 7))
        inside = [value for value in values if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]
        kept = inside[:: math.ceil(len(inside) / 5)] if inside else [self.low]
        return [(self.place(value), number(value)) for value in kept]


@dataclass(frozen=True)
class Symmetric:
    """Powers of ten to both sides of zero: from ``-10**high`` over ``±10**low`` to ``10**high``, with room at zero.

    A value is ``±10**e``; :meth:`place_of` takes the sign and e, which may lie between integers.
    """

    low: float
    high: float
    gap: float = 0.06

    def place_of(self, sign: int, exponent: float) -> float:
        """Where ``sign * 10**exponent`` stands."""
        reach = _between((exponent - self.low) / (self.high - self.low)) if self.high > self.low else 1.0
        return 0.5 + sign * (self.gap / 2 + (0.5 - self.gap / 2) * reach)

    def place(self, value: float) -> float:
        if value == 0:
            return 0.5
        return self.place_of(1 if value > 0 else -1, math.log10(abs(value)))

    def ticks(self) -> list[tuple[float, str]]:
        first, last = math.ceil(self.low), math.floor(self.high)
        every = max(1, math.ceil((last - first) / 2))
        powers = [k for k in range(last, first - 1, -every) if k > self.low + 0.2 * (self.high - self.low)]
        right = [(self.place_of(1, k), power_of_ten(k)) for k in reversed(powers)]
        left = [(self.place_of(-1, k), f"−{power_of_ten(k)}") for k in powers]
        return [*left, (0.5, "0"), *right]


def spanning(values: Iterable[float], *, logarithmic: bool = True) -> Linear | Logarithmic:
    """An axis that holds the finite ones of the values: logarithmic where they are positive and far apart."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return Linear(0.0, 1.0)
    low, high = min(finite), max(finite)
    if logarithmic and low > 0 and high > LOGARITHMIC_FROM * low:
        room = (high / low) ** 0.04
        return Logarithmic(low / room, high * room)
    room = 0.05 * (high - low or abs(high) or 1.0)
    return Linear(low - room, high + room)


def _between(share: float) -> float:
    return min(1.0, max(0.0, share))


def _round_step(rough: float) -> float:
    """The round number next above."""
    if not rough > 0 or not math.isfinite(rough):
        return 0.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - 1e-9))
