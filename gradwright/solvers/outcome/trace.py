"""The trace of a run: one entry for every accepted iterate."""

from __future__ import annotations

from typing import NamedTuple


class Iteration(NamedTuple):
    """One accepted iterate: value, gradient norm (projected where there are bounds), and counts so far."""

    value: float
    gradient: float
    nfev: int
    nhev: int


Trace = tuple[Iteration, ...]
"""The iterates of a run in order; the first is the starting point."""
