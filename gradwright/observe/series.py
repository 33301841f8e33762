"""A series of numbers over steps that never grows beyond its capacity."""

from __future__ import annotations

from collections.abc import Iterator


class Series:
    """Values at steps. When full, each two neighbours become their mean, and from then on so many steps are one point.

    Args:
        capacity: the most points that are kept, an even number.

    >>> series = Series(4)
    >>> for step in range(1, 7):
    ...     series.append(step, float(step))
    >>> list(series)
    [(2, 1.5), (4, 3.5), (6, 5.5)]
    """

    def __init__(self, capacity: int = 8192) -> None:
        if capacity < 2 or capacity % 2:
            raise ValueError(f"Series: capacity={capacity} must be an even number from 2 on")
        self.capacity, self.stride = capacity, 1
        self.steps: list[int] = []
        self.values: list[float] = []
        self._open: list[float] = []

    def append(self, step: int, value: float) -> None:
        """Add the value of a step, later than all before."""
        self._open.append(value)
        if len(self._open) < self.stride:
            return
        if len(self.values) == self.capacity:
            self._halve()
            if len(self._open) < self.stride:
                return
        self.steps.append(step)
        self.values.append(sum(self._open) / len(self._open))
        self._open.clear()

    def _halve(self) -> None:
        self.values = [(a + b) / 2 for a, b in zip(self.values[::2], self.values[1::2])]
        self.steps = self.steps[1::2]
        self.stride *= 2

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return bool(self.values)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return iter(zip(self.steps, self.values))
