"""Budget: what a run may spend, and what it has spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gradwright.solvers.outcome.status import Status


class Exhausted(Exception):
    """A budget is used up."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.sentence)
        self.status = status


def status_of(solve: Callable[[], Status]) -> Status:
    """How a solver ended: by its own verdict, or because its budget was used up."""
    try:
        return solve()
    except Exhausted as exhausted:
        return exhausted.status


@dataclass(frozen=True)
class Limits:
    """What a solver may spend.

    Args:
        maxfev: evaluations of the value (None: as many as the iterations need).
        maxiter: iterations (None: 200 per unknown, between 1,000 and 20,000).
        max_seconds: seconds.
    """

    maxfev: int | None = None
    maxiter: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("maxfev", "maxiter", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value!r} must be positive; leave it out for the default")

    def iterations(self, size: int) -> int:
        """Iterations at most, for this many unknowns."""
        return self.maxiter if self.maxiter is not None else min(20_000, max(1_000, 200 * size))


class Budget:
    """Counts evaluations and looks at the clock, and refuses what is too much.

    Args:
        limits: what may be spent.

    Attributes:
        nfev: evaluations so far.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.nfev = 0
        self._started = time.monotonic()

    def spend(self) -> None:
        """Count one evaluation; the first is always allowed.

        Raises:
            Exhausted: no evaluation, or no time, is left.
        """
        if self.nfev:
            allowed = self.limits.maxfev
            if allowed is not None and self.nfev >= allowed:
                raise Exhausted(Status.MAX_EVALUATIONS)
            self.check_clock()
        self.nfev += 1

    def check_clock(self) -> None:
        """Go on while there is time.

        Raises:
            Exhausted: there is none.
        """
        seconds = self.limits.max_seconds
        if seconds is not None and time.monotonic() - self._started > seconds:
            raise Exhausted(Status.MAX_SECONDS)

    def left(self, maxiter: int) -> Limits:
        """What a run inside this one may spend, at least one evaluation, with its own limit of iterations."""
        maxfev, seconds = self.limits.maxfev, self.limits.max_seconds
        if maxfev is not None:
            maxfev = max(1, maxfev - self.nfev)
        if seconds is not None:
            seconds = max(seconds - (time.monotonic() - self._started), 1e-9)
        return Limits(maxfev, maxiter, seconds)

    @contextmanager
    def narrowed(self, maxfev: int | None, maxiter: int) -> Iterator[None]:
        """Narrower limits while the context is open; counts go on, and so does the clock."""
        whole = self.limits
        self.limits = Limits(maxfev, maxiter, whole.max_seconds)
        try:
            yield
        finally:
            self.limits = whole
