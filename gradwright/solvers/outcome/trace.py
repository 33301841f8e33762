"""The trace of a run: one entry for every accepted iterate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Iteration(NamedTuple):
    """One accepted iterate: value, gradient norm (projected where there are bounds), and counts so far."""

    value: float
    gradient: float
    nfev: int
    nhev: int


Trace = tuple[Iteration, ...]
"""The iterates of a run in order; the first is the starting point."""

Callback = Callable[[Any, Iteration], Any]
"""Called as callback(x, iteration) after every accepted iterate; it may raise StopIteration."""
