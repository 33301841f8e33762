"""From numbers to the cells of a heat map: 255 levels, each with a colour and a word."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from gradwright.observe.page.png import Colour
from gradwright.observe.page.words import number, per_cent

LEVELS = 255
"""Level 0 is a cell without a number."""

COLD, WARM, PLAIN, ALARM = (58, 134, 224), (226, 110, 28), (127, 85, 240), (214, 40, 57)
FAINTEST, FULL = 14, 255
TOO_SMALL, TOO_LARGE = 1e-6, 1.0
"""The relative updates at which the colours are full."""


@dataclass(frozen=True)
class Shading:
    """How a quantity is turned into levels 1 to 255.

    Attributes:
        low, high: the values of the first and the last level.
        logarithmic: whether equal ratios are equal steps.
        palette: the colour of every level, 256 of them.
        share: whether values are written in per cent.
    """

    low: float
    high: float
    logarithmic: bool
    palette: tuple[Colour, ...]
    share: bool = False

    def level(self, value: float) -> int:
        """The level of a value: 0 for NaN, the first or the last where it lies outside."""
        if math.isnan(value):
            return 0
        low, high, at = (self._height(each) for each in (self.low, self.high, value))
        part = (at - low) / (high - low) if high > low else 1.0
        return 1 + round((LEVELS - 1) * min(1.0, max(0.0, part)))

    def word(self, level: int) -> str:
        """About which value a level stands for."""
        if level == 0:
            return "nothing measured"
        low, high = self._height(self.low), self._height(self.high)
        height = low + (high - low) * (level - 1) / (LEVELS - 1)
        if self.share:
            return per_cent(height)
        return number(10.0**height if self.logarithmic else height, 2)

    def _height(self, value: float) -> float:
        if not self.logarithmic:
            return value
        return math.log10(value) if value > 0 else -math.inf


def shading(scale: str, values: Iterable[float]) -> Shading:
    """The shading of a quantity of this scale (see :class:`~gradwright.observe.page.grid.Quantity`)."""
    if scale == "ratio":
        return Shading(TOO_SMALL, TOO_LARGE, True, _two_sided(COLD, WARM))
    if scale == "share":
        return Shading(0.0, 1.0, False, _one_sided(WARM, 0), share=True)
    if scale == "cosine":
        return Shading(-1.0, 1.0, False, _two_sided(COLD, WARM))
    finite = [value for value in values if math.isfinite(value) and value > 0]
    low, high = (min(finite), max(finite)) if finite else (1.0, 1.0)
    if scale == "count":
        return Shading(0.0, high, False, _marked(ALARM))
    return Shading(low, max(high, low * 10), True, _one_sided(PLAIN, FAINTEST))


def _one_sided(colour: tuple[int, int, int], faintest: int) -> tuple[Colour, ...]:
    """From nearly nothing to full."""
    steps = (faintest + (FULL - faintest) * level / (LEVELS - 1) for level in range(LEVELS))
    return ((0, 0, 0, 0), *((*colour, round(step)) for step in steps))


def _two_sided(cold: tuple[int, int, int], warm: tuple[int, int, int]) -> tuple[Colour, ...]:
    """Full at both ends, and nearly nothing in the middle."""
    middle = (LEVELS - 1) / 2
    away = [(level - middle) / middle for level in range(LEVELS)]
    return (
        (0, 0, 0, 0),
        *((*(warm if each > 0 else cold), round(FAINTEST + (FULL - FAINTEST) * abs(each) ** 1.5)) for each in away),
    )


def _marked(colour: tuple[int, int, int]) -> tuple[Colour, ...]:
    """Full for all but zero."""
    return ((0, 0, 0, 0), (*colour, 0), *((*colour, FULL),) * (LEVELS - 1))
