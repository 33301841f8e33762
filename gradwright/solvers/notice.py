"""Warnings that point at the user's line, however deep in a solver they arise."""

from __future__ import annotations

import sys
import warnings


def notice(message: str) -> None:
    """Issue a ``UserWarning`` at the innermost line that belongs neither to this package nor to torch."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in ("gradwright", "torch"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)
