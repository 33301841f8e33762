"""The decay that follows from asking learning rate and weight decay to hold each other in balance."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from gradwright.core.number import as_float, shown
from gradwright.schedules.base import Schedule

LAWS = ("inverse_time", "inverse_square", "recursion")
SPACING = 1024
"""Steps between two values of the recursion that are kept."""


@dataclass(frozen=True)
class AmosDecay(Schedule):
    """A fall without an end that halves after ``half_life`` = T steps.

    Derived from Amos by Su (kexue.fm/archives/9344). If steps bring the weights nearer to their goal at the speed p,
    and weight decay cancels what they add to the weights' length, both the learning rate and the decay fall as
    f(t) = exp(−2 Sₜ):

    - ``"recursion"``: Sₜ₊₁ = Sₜ + α₀ p exp(−Sₜ), S₀ = 0;
    - ``"inverse_square"``: f = 1 / (α₀ p t + 1)², its closed form for small α₀ p;
    - ``"inverse_time"``: f = 1 / (2 α₀ p₀ t + 1), where the speed falls as well, p = p₀ exp(−Sₜ); recommended.

    T stands for the product: α₀ p = (√2 − 1) / T for the first two, 2 α₀ p₀ = 1 / T for the last. Start with
    :func:`amos_settings`: a decay that the optimizer multiplies by its learning rate falls with it.

    Args:
        half_life: T in steps, above 0. The recursion reaches ½ there up to a share of 1 / T.
        law: which of the three.
    """

    half_life: float
    law: Literal["inverse_time", "inverse_square", "recursion"] = "inverse_time"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._needs_steps("half_life")
        if self.law not in LAWS:
            raise ValueError(f"AmosDecay: law={shown(self.law)} is unknown; known are {', '.join(LAWS)}")

    def multiplier(self, t: float) -> float:
        if self.law == "inverse_time":
            return 1 / (1 + t / self.half_life)
        rate = (math.sqrt(2) - 1) / self.half_life
        if self.law == "inverse_square":
            return 1 / (rate * t + 1) ** 2
        return math.exp(-2 * _recursion(rate, int(t)))

    def speed(self, alpha: float) -> float:
        """p, or p₀, at which steps of the relative size ``alpha`` = α₀, above 0, have this half-life."""
        if not as_float("AmosDecay: alpha", alpha) > 0:
            raise ValueError(f"AmosDecay: alpha={alpha} must be a finite number above 0")
        if self.law == "inverse_time":
            return 1 / (2 * alpha * self.half_life)
        return (math.sqrt(2) - 1) / (alpha * self.half_life)


def _recursion(rate: float, t: int) -> float:
    """S after ``t`` steps; every ``SPACING``-th value is kept, so that asking for one after another is quick."""
    kept = _kept(rate)
    while len(kept) <= t // SPACING:
        kept.append(_forward(kept[-1], rate, SPACING))
    return _forward(kept[t // SPACING], rate, t % SPACING)


def _forward(s: float, rate: float, steps: int) -> float:
    for _ in range(steps):
        s += rate * math.exp(-s)
    return s


@lru_cache(maxsize=64)
def _kept(rate: float) -> array[float]:
    return array("d", [0.0])


class AmosSettings(NamedTuple):
    """What the derivation gives an optimizer at its first step."""

    lr: float
    weight_decay: float


def amos_settings(alpha: float, sigma: float, q: float = 1.0, update_rms: float = 1.0) -> AmosSettings:
    """Learning rate α₀ σ / rms(u) and weight decay α₀ rms(u) / (2 q σ), for a decay that lr multiplies.

    Their product is α₀² / (2 q), of second order: decay undoes what the steps add to the length of the weights.

    Args:
        alpha: α₀, the step relative to the distance to go; about 1e-3, or 1e-2 for easy tasks.
        sigma: σ, the standard deviation with which the tensor starts; ½ for biases, and for gains around 1.
        q: how far weights and error point the same way; 1 where dimensions are many.
        update_rms: rms(u) of the direction: 1 for Lion and other sign methods, about 0.2 for Adam.

    Raises:
        TypeError: one of them is no number.
        ValueError: one of them is not finite, or not above 0.

    Example:
        >>> amos_settings(1e-3, 0.02)
        AmosSettings(lr=2e-05, weight_decay=0.025)
    """
    for name, value in (("alpha", alpha), ("sigma", sigma), ("q", q), ("update_rms", update_rms)):
        if not as_float(f"amos_settings: {name}", value) > 0:
            raise ValueError(f"amos_settings: {name}={value} must be a finite number above 0")
    return AmosSettings(alpha * sigma / update_rms, alpha * update_rms / (2 * q * sigma))
