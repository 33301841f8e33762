"""Row: one line of the table, a figure with the bar it is held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure.

    Args:
        name: by which ``--only`` finds it.
        figure: what was measured, in ``unit``; None where it could not be.
        bar: the most it may be; None where nothing is promised.
        unit: ``x`` for a ratio.
        against: what the figure is relative to.
        ours: the seconds of our step.
        fused: bytes in a second at which torch's fused AdamW ran between ours.
        note: a sentence, such as why there is no figure.
    """

    name: str
    figure: float | None = None
    bar: float | None = None
    unit: str = "x"
    against: str = ""
    ours: float | None = None
    fused: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """``pass``, ``miss``, ``skipped``, or nothing where there is no bar."""
        if self.figure is None:
            return "skipped"
        if self.bar is None:
            return ""
        return "pass" if self.figure <= self.bar else "miss"


def table(rows: list[Row]) -> str:
    """The rows as aligned text."""
    head = ("work", "figure", "bar", "", "ours ms", "fused GB/s", "against")
    lines = [head, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    written = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join([written[0], "  ".join("-" * width for width in widths), *written[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        "" if row.figure is None else f"{row.figure:.3g} {row.unit}",
        "" if row.bar is None else f"{row.bar:.3g}",
        row.verdict,
        "" if row.ours is None else f"{1000 * row.ours:.2f}",
        "" if row.fused is None else f"{row.fused / 1e9:.1f}",
        ". ".join(filter(None, (row.against, row.note))),
    )
