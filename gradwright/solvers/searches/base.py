"""Search: chooses the step length along a line."""

from __future__ import annotations

from dataclasses import dataclass

from gradwright.solvers.searches.line import Line, Trial


@dataclass(frozen=True)
class Search:
    """A rule for step lengths. A point whose value or gradient is not finite counts as too far away."""

    def __call__(self, line: Line, first: float) -> Trial | None:
        """The trial to go to, or None where none is better than staying.

        Args:
            line: with line.slope < 0.
            first: the α to try first.
        """
        raise NotImplementedError
