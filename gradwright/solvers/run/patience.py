"""Patience: how long a run goes on without progress."""

from __future__ import annotations

import math


class Patience:
    """Counts accepted iterates in a row that made no progress.

    Progress is a value below all before, or a size (of the gradient, of the violation) a tenth below all before.

    Args:
        iterates: how many in a row are too many.
    """

    def __init__(self, iterates: int) -> None:
        self.iterates = iterates
        self.renew()

    def renew(self) -> None:
        """Forget what was reached so far."""
        self._idle = 0
        self._value = math.inf
        self._sizes: tuple[float, ...] = ()

    def ends_with(self, value: float, *sizes: float) -> bool:
        """Take in an iterate, and tell whether it is one too many.

        Args:
            value: of the function.
            sizes: of what has to vanish, always as many.
        """
        least = self._sizes or (math.inf,) * len(sizes)
        progress = value < self._value or any(size < 0.9 * old for size, old in zip(sizes, least))
        self._idle = 0 if progress else self._idle + 1
        self._value = min(self._value, value)
        self._sizes = tuple(map(min, least, sizes))
        return self._idle >= self.iterates
