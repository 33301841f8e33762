"""What the heat maps show: a number for each layer and each piece of the run."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gradwright.observe.record import Record, Window

COLUMNS = 120
"""The most pieces into which a run is cut."""


@dataclass(frozen=True)
class Quantity:
    """One probe as a heat map.

    Attributes:
        key: the field of the probe.
        name: for a reader.
        meaning: one sentence.
        scale: "ratio" (too small is cold, too large is warm), "size" (logarithmic, over the range that occurs),
            "share" (0 to 1), "cosine" (−1 to 1) or "count" (anything above 0 is marked).
        layers: whether it is one of modules, not of parameters.
    """

    key: str
    name: str
    meaning: str
    scale: str
    layers: bool = False


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("relative_update", "relative update", "rms(Δ) / rms(p): about 10⁻³ is healthy.", "ratio"),
    Quantity("gradient", "gradient", "Root mean square of the gradient as the optimizer saw it.", "size"),
    Quantity("weight", "weight", "Root mean square of the weights.", "size"),
    Quantity("update", "update", "Root mean square of the step.", "size"),
    Quantity("zero", "zero gradients", "Share of the entries whose gradient is zero.", "share"),
    Quantity("lost", "lost to rounding", "Share of the entries with a gradient whose weight did not change.", "share"),
    Quantity("eps", "ruled by eps", "Share of the entries whose √v̂ lies below eps.", "share"),
    Quantity("decay", "weight decay", "Weight decay's part of the step.", "share"),
    Quantity("tail", "tail", "Share of Σ g² in the largest 1 % of entries; 0.07 for a normal distribution.", "share"),
    Quantity("kurtosis", "kurtosis", "Of the gradient's entries; 3 for a normal distribution.", "size"),
    Quantity("turn", "turn", "Cosine of this step and the one before.", "cosine"),
    Quantity("non_finite", "not finite", "Entries of gradient and weight that are not finite.", "count"),
    Quantity("rms", "activations", "Root mean square of what a module made.", "size", layers=True),
    Quantity("dead", "dead units", "Share of units that were zero for every sample.", "share", layers=True),
    Quantity("saturated", "saturated units", "Share of entries where the activation is flat.", "share", layers=True),
    Quantity("non_finite", "not finite made", "Entries a module made that are not finite.", "count", layers=True),
)
"""In the order in which a reader may choose them."""


@dataclass(frozen=True)
class Grid:
    """Numbers by row (a parameter or module) and column (a piece of the run); NaN where there is none.

    Attributes:
        names: of the rows.
        edges: the step after which each column begins, and the last step.
        values: by row and column: the mean of the watched steps within.
    """

    names: tuple[str, ...]
    edges: tuple[int, ...]
    values: tuple[tuple[float, ...], ...]

    @property
    def worth_showing(self) -> bool:
        """Whether there is anything but zeros."""
        return any(value and not math.isnan(value) for row in self.values for value in row)


def grid(record: Record, quantity: Quantity, most: int = COLUMNS) -> Grid:
    """The heat map of one quantity."""
    probes: Callable[[Window], dict[str, Any]] = lambda w: w.layers if quantity.layers else w.parameters  # noqa: E731
    seen = dict.fromkeys(name for window in record.windows for name in probes(window))
    names = (*(name for name in record.parameters if name in seen), *(n for n in seen if n not in record.parameters))
    edges = _edges([window.step for window in record.windows], most)
    sums = {name: [0.0] * (len(edges) - 1) for name in names}
    counts = {name: [0] * (len(edges) - 1) for name in names}
    for window in record.windows:
        column = bisect.bisect_left(edges, window.step) - 1
        for name, probe in probes(window).items():
            value = float(getattr(probe, quantity.key))
            if not math.isnan(value):
                sums[name][column] += value
                counts[name][column] += 1
    values = (tuple(t / n if n else math.nan for t, n in zip(sums[name], counts[name])) for name in names)
    return Grid(names, tuple(edges), tuple(values))


def _edges(steps: Sequence[int], most: int) -> list[int]:
    """Cuts between watched steps, so that no column is empty: every watched step has its own where there is room."""
    if not steps:
        return [0]
    wide = math.ceil(len(steps) / most)
    return [0, *steps[wide - 1 : -1 : wide], steps[-1]]
