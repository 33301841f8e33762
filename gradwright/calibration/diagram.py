"""The reliability diagram as a picture."""

from __future__ import annotations

from typing import Any

from gradwright.calibration.bins import Reliability


def reliability_diagram(found: Reliability, axes: Any = None, *, label: str = "", colour: str = "#2a6fbb") -> Any:
    """Draw accuracy against confidence with 95 % intervals, dots as large as their bins are full.

    Args:
        found: what :meth:`CalibrationError.reliability` gives, of one class.
        axes: matplotlib axes; new ones if None.
        label: for the legend.
        colour: of dots and line.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: several classes at once.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as missing:
        raise ImportError('reliability_diagram needs matplotlib: pip install "gradwright[study]"') from missing
    if found.samples.dim() != 1:
        raise ValueError(
            f"found holds {len(found.samples)} classes; draw one at a time: "
            "Reliability(found.edges, *(x[k] for x in found[1:]))"
        )
    if axes is None:
        _, axes = plt.subplots(figsize=(4.2, 4.2))
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle="--", zorder=1)
    some = found.samples > 0
    x, y = found.confidence[some].cpu(), found.accuracy[some].cpu()
    low, high = found.low[some].cpu(), found.high[some].cpu()
    axes.vlines(x, low, high, color=colour, alpha=0.4, linewidth=2, zorder=2)
    size = 12 + 150 * (found.weight[some] / found.weight.sum()).cpu()
    axes.plot(x, y, color=colour, linewidth=1, zorder=2)
    axes.scatter(x, y, s=size, color=colour, label=label or None, zorder=3, clip_on=False)  # whole at 0 and at 1
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", aspect="equal")
    if label:
        axes.legend(loc="upper left", frameon=False)
    return axes
