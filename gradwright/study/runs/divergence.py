"""How a run that was not cut short ended: better than it began, no better, or worse."""

from __future__ import annotations

import math
from typing import NamedTuple

from gradwright.study.record.study import DIVERGED, FINISHED, NO_PROGRESS

MARGIN = 0.05
"""The share of its first value by which a metric must become worse: less is the noise of a run that stands still."""


class Ending(NamedTuple):
    """A status of the record and its sentence, which is empty where the run finished."""

    status: str
    reason: str = ""


def ending(
    initial: float,
    final: float,
    lower_is_better: bool = True,
    losses: tuple[float, float] = (math.nan, math.nan),
) -> Ending:
    """What to call a run that ended.

    It *diverged* if the end is not finite, or worse than the start by more than :data:`MARGIN` while the training
    loss did not fall either; any other end no better than its start is *no progress*. A run that minimised what it
    was given, and whose metric became worse for it, has not diverged.

    Args:
        initial, final: the metric that ranks, before the first step and at the end.
        lower_is_better: whether that metric should fall.
        losses: the training loss at the start and at the end; nan where nobody knows.
    """
    if not math.isfinite(final):
        return Ending(DIVERGED, f"ended at {final}")
    loss = (final - initial) if lower_is_better else (initial - final)
    if not math.isfinite(initial) or loss < 0:
        return Ending(FINISHED)
    if loss <= MARGIN * abs(initial):
        return Ending(NO_PROGRESS, f"ended at {final:.4g}, no better than {initial:.4g} before the first step")
    worse = f"ended at {final:.4g}, worse than {initial:.4g} before the first step"
    if losses[1] < losses[0]:
        return Ending(NO_PROGRESS, f"{worse}, although the training loss fell from {losses[0]:.4g} to {losses[1]:.4g}")
    return Ending(DIVERGED, worse)
