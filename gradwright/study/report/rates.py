"""The picture of a learning rate range test."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from gradwright.core import files

if TYPE_CHECKING:
    from gradwright.study.find_lr import RateSearch

ENDINGS = (".svg", ".png")


def picture(search: RateSearch, path: Path) -> Path:
    """Write the curve of a search, whole or not at all.

    Raises:
        ValueError: the path ends in neither .svg nor .png.
        OSError: it cannot be written.
    """
    if path.suffix not in ENDINGS:
        raise ValueError(f"path={str(path)!r} must end in one of {', '.join(ENDINGS)}")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(search.rates, search.losses, color="0.8", linewidth=1, label="each batch")
    axes.plot(search.rates, search.smoothed, color="C0", linewidth=2, label="average")
    marks = [(search.suggestion, "suggestion", "-")] if search.learned else []
    for rate, word, dash in (*marks, (search.lowest, "least", ":")):
        axes.axvline(rate, color="C1", linestyle=dash, label=f"{word}: {rate:.2g}")
    low, high = min(search.losses), search.losses[0]
    room = max(high - low, 1e-12)
    axes.set_ylim(low - 0.05 * room, high + 0.35 * room)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.set_title(f"{search.optimizer} on {search.task}", loc="left", fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9)
    drawn = BytesIO()
    figure.savefig(drawn, format=path.suffix[1:], dpi=120)
    files.write(path, drawn.getvalue())
    return path
