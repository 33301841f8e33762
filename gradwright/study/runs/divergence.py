"""Whether a run came to nothing."""

from __future__ import annotations

import math


def diverged(initial: float, final: float, lower_is_better: bool = True) -> str:
    """Why a run counts as diverged, or the empty string: its end is not finite, or no better than its start."""
    if not math.isfinite(final):
        return f"ended at {final}"
    if math.isfinite(initial) and (final >= initial if lower_is_better else final <= initial):
        return f"ended at {final:.4g}, no better than {initial:.4g} before the first step"
    return ""
