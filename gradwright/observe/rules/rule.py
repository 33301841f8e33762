"""What a rule is, and the table of all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gradwright.observe.cause import Cause, Finding, Severity
from gradwright.observe.run import Run
from gradwright.observe.thresholds import Thresholds

Rule = Callable[[Run, Thresholds], Finding | None]

RULES: dict[Cause, Rule] = {}
"""Each cause with its rule."""


def rule(cause: Cause) -> Callable[[Rule], Rule]:
    """Enter a function into :data:`RULES`."""

    def enter(function: Rule) -> Rule:
        RULES[cause] = function
        return function

    return enter


def finding(
    cause: Cause,
    severity: Severity,
    evidence: str,
    remedy: str,
    confidence: float,
    *,
    layers: Sequence[str] = (),
    steps: tuple[int, int] = (0, 0),
    **numbers: float,
) -> Finding:
    """A finding with its numbers by name."""
    return Finding(cause, severity, evidence, remedy, round(confidence, 2), tuple(layers), numbers, steps)


def beyond(value: float, limit: float, far: float) -> float:
    """How sure a crossed limit makes: 0.6 at the limit, 0.95 from ``far`` on, by the logarithm in between."""
    if not (value > 0 and limit > 0 and far > 0) or limit == far:
        return 0.6
    way = math.log(value / limit) / math.log(far / limit)
    return 0.6 + 0.35 * min(1.0, max(0.0, way))


def listed(names: Sequence[str], most: int = 3) -> str:
    """A few names, and how many more."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def span(windows: Sequence[Any]) -> tuple[int, int]:
    """The first and the last step of windows."""
    return (windows[0].step, windows[-1].step) if windows else (0, 0)
