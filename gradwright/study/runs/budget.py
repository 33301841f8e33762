"""How long a run may take, and how its learning rate moves meanwhile."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "m": 60.0, "min": 60.0, "minutes": 60.0}


@dataclass(frozen=True)
class Budget:
    """A number of optimizer steps, or training seconds by the clock (evaluations do not count)."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, value: int | float | str | Budget) -> Budget:
        """``300``, ``"300"``, ``"300 steps"``, ``"20s"`` or ``"2 min"``.

        >>> Budget.parse("20s")
        Budget(steps=None, seconds=20.0)

        Raises:
            ValueError: anything else, or a budget that is not positive.
        """
        if isinstance(value, Budget):
            return value
        found = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?) *([a-z]*)", str(value).strip().lower())
        try:
            number, unit = float(found[1]), found[2]  # type: ignore[index]
        except (TypeError, ValueError):
            number, unit = 0.0, "?"
        if 0 < number < math.inf:
            if unit in SECONDS:
                return cls(seconds=number * SECONDS[unit])
            if unit in ("", "step", "steps") and number == int(number):
                return cls(steps=int(number))
        raise ValueError(
            f"budget={value!r} is neither a positive number of steps nor a time: "
            f"write 300, '300 steps', '20s' or '2 min'"
        )

    def fraction(self, step: int, elapsed: float) -> float:
        """The share of the budget that is used up after ``step`` steps and ``elapsed`` seconds."""
        return step / self.steps if self.steps else min(1.0, elapsed / (self.seconds or math.inf))

    def middle(self, step: int, elapsed: float) -> float:
        """The same at the middle of the coming step, so that a warm-up does not waste its first step on zero."""
        return (step + 0.5) / self.steps if self.steps else max(1e-3, self.fraction(step, elapsed))

    def mark(self, step: int, elapsed: float, marks: int) -> int:
        """How many of ``marks`` evenly spread marks are passed."""
        return step * marks // self.steps if self.steps else int(self.fraction(step, elapsed) * marks)

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.steps else f"{self.seconds:g} seconds of training"


def _warmup_cosine(x: float) -> float:
    return x / 0.05 if x < 0.05 else 0.5 * (1 + math.cos(math.pi * (x - 0.05) / 0.95))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda x: 1.0,
    "linear": lambda x: 1 - x,
    "cosine": lambda x: 0.5 * (1 + math.cos(math.pi * x)),
    "warmup-cosine": _warmup_cosine,
}
"""The share of the full learning rate at the share ``x`` in [0, 1] of the budget."""
