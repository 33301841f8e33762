"""The parabola through a value, its slope, and the value at the end of a step."""

from __future__ import annotations

import math


def turn(value: float, trial: float, slope: float) -> float:
    """Where along a step, as a fraction of it, the parabola through f, gᵀp and f⁺ has its minimum; ∞ where it has none.

    >>> turn(value=1.0, trial=1.0, slope=-1.0)
    0.5
    """
    excess = trial - value - slope
    return -0.5 * slope / excess if excess > 0 else math.inf
