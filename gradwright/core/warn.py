"""Warnings that point at the user's line, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings

PASSED_THROUGH = ("gradwright", "torch")
"""Packages whose frames are not the user's: ours, and torch, whose decorators and hooks lie between."""

_told: set[str] = set()


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the innermost line that belongs neither to this package nor to torch.

    Args:
        message: what is the matter, and the way out.
        category: of the warning.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_user("beta=2.0 has no effect; leave it out")
    >>> [str(each.message) for each in caught]
    ['beta=2.0 has no effect; leave it out']
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _package(frame.f_globals) in PASSED_THROUGH:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_once(message: str) -> None:
    """Issue a ``UserWarning`` where this process has not issued the same message yet."""
    if message not in _told:
        _told.add(message)
        warn_user(message)


def _package(names: dict[str, object]) -> str:
    """The outermost package of the module with these globals."""
    return str(names.get("__name__", "")).partition(".")[0]
