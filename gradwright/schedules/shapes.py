"""The shapes: rises, falls and points in between."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from gradwright.core.number import as_float, shown
from gradwright.schedules.base import Schedule

FALLS = ("linear", "sqrt", "cosine", "exp")


@dataclass(frozen=True)
class Warmup(Schedule):
    """A straight rise to 1 over ``steps``: (t + 1) / W, or t / W, whose first step does nothing, with ``from_zero``."""

    steps: float
    from_zero: bool = False

    def multiplier(self, t: float) -> float:
        if self.steps == 0:
            return 1.0
        return min(1.0, (t if self.from_zero else t + 1) / self.steps)

    @property
    def length(self) -> float:
        return self.steps


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 down to ``final`` = f over ``steps`` = T: f + (1 − f) ½ (1 + cos(π t / T)).

    A final value of a hundredth is better than a tenth in published comparisons (arXiv:2509.01440).
    """

    steps: float
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._needs_steps("steps")

    def multiplier(self, t: float) -> float:
        return self.final + (1 - self.final) * _fallen("cosine", min(1.0, t / self.steps))

    @property
    def length(self) -> float:
        return self.steps


@dataclass(frozen=True)
class Linear(Schedule):
    """A straight line from 1 down to ``final`` = f over ``steps`` = T: 1 − (1 − f) t / T."""

    steps: float
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._needs_steps("steps")

    def multiplier(self, t: float) -> float:
        return 1 - (1 - self.final) * min(1.0, t / self.steps)

    @property
    def length(self) -> float:
        return self.steps


@dataclass(frozen=True)
class WarmupStableDecay(Schedule):
    """Rise, rest at 1, fall (WSD, arXiv:2404.06395). With u = (t − warmup − stable) / decay the fall is

    - ``"linear"``: 1 − u;  ``"sqrt"``: 1 − √u;  ``"cosine"``: ½ (1 + cos π u); each from 1 to ``final``;
    - ``"exp"``: final^u, so that ``final`` must be above 0; the paper's half-life h is final = 0.5 ** (decay / h).

    Args:
        warmup: steps of the rise, (t + 1) / W or, with ``from_zero``, t / W; 0 for none.
        stable: steps at 1.
        decay: steps of the fall, above 0; a tenth to a fifth of all steps in the paper.
        shape: which fall.
        final: the multiplier at the end and after it.
        from_zero: begin the rise at 0.
    """

    warmup: float
    stable: float
    decay: float
    shape: Literal["linear", "sqrt", "cosine", "exp"] = "linear"
    final: float = 0.0
    from_zero: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._needs_steps("decay")
        if self.shape not in FALLS:
            raise ValueError(f"WarmupStableDecay: shape={shown(self.shape)} is unknown; known are {', '.join(FALLS)}")
        if self.shape == "exp" and self.final == 0:
            raise ValueError("WarmupStableDecay: shape='exp' never reaches final=0; give a final above 0, such as 0.01")

    def multiplier(self, t: float) -> float:
        if t < self.warmup:
            return Warmup(self.warmup, self.from_zero).multiplier(t)
        u = min(1.0, max(0.0, (t - self.warmup - self.stable) / self.decay))
        if self.shape == "exp":
            return self.final**u
        return self.final + (1 - self.final) * _fallen(self.shape, u)

    @property
    def length(self) -> float:
        return self.warmup + self.stable + self.decay


def _fallen(shape: str, u: float) -> float:
    """A fall from 1 to 0 while u goes from 0 to 1."""
    if shape == "linear":
        return 1 - u
    if shape == "sqrt":
        return 1 - math.sqrt(u)
    return 0.5 * (1 + math.cos(math.pi * u))


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """A straight rise over ``warmup`` = W steps, then √(W / (t + 1)): the Transformer's, with its peak at 1."""

    warmup: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._needs_steps("warmup")

    def multiplier(self, t: float) -> float:
        return min((t + 1) / self.warmup, math.sqrt(self.warmup / (t + 1)))


@dataclass(frozen=True)
class Piecewise(Schedule):
    """Straight lines through given points, and the last value after them: Tiger's schedule.

    Begins at (0, 0) unless 0 is among the points: ``Piecewise({1000: 1, 10000: 0.1})`` rises, then falls.

    Args:
        points: multipliers by step, as a mapping or as pairs.
    """

    points: tuple[tuple[float, float], ...]

    def __init__(self, points: Mapping[float, float] | Iterable[tuple[float, float]]) -> None:
        given = points.items() if isinstance(points, Mapping) else points
        try:
            entries = [(t, value) for t, value in given]
        except (TypeError, ValueError):
            raise TypeError(
                f"Piecewise: points={shown(points)} must be steps with their multipliers, such as {{1000: 1.0}}"
            ) from None
        pairs = sorted(
            (as_float("Piecewise: a step", t), as_float(f"Piecewise: the multiplier of step {shown(t)}", value))
            for t, value in entries
        )
        if not pairs:
            raise ValueError("Piecewise: there are no points; give steps with their multipliers, such as {1000: 1.0}")
        for t, value in pairs:
            if t < 0 or value < 0:
                raise ValueError(f"Piecewise: the point {t:g}: {value:g} must have a step and a multiplier from 0 on")
        if len({t for t, _ in pairs}) < len(pairs):
            raise ValueError("Piecewise: a step has two multipliers; give each step once")
        if pairs[0][0] > 0:
            pairs = [(0.0, 0.0), *pairs]
        object.__setattr__(self, "points", tuple(pairs))

    def multiplier(self, t: float) -> float:
        for (start, low), (end, high) in zip(self.points, self.points[1:]):
            if t < end:
                return low + (high - low) * (t - start) / (end - start)
        return self.points[-1][1]

    @property
    def length(self) -> float:
        return self.points[-1][0]
