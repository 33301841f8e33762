"""Budget: what a fit may spend and how far it has to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradwright.linear_model.certificate import Record


@dataclass(frozen=True)
class Budget:
    """When a fit ends.

    Args:
        tol: the bound of (F − F*) / F* at which it has converged, above 0. Default 1e-6.
        max_iter: iterations at most. Default 1000.
        callback: called with each ``Record``; a true answer stops the fit.
    """

    tol: float = 1e-6
    max_iter: int = 1000
    callback: Callable[[Record], bool | None] | None = None

    def reached(self, value: float, gap: float) -> bool:
        """Whether a value that is at most ``gap`` above the minimum is within tol of it; never if it is not finite."""
        return bool(np.isfinite(value) and gap <= self.tol * max(value - gap, 0.0))

    def stops(self, record: Record) -> bool:
        """Whether the callback asks to stop."""
        return self.callback is not None and bool(self.callback(record))
