"""The pictures of how far untuned contenders stay behind a tuned AdamW."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradwright.study.references.profile import Profile
from gradwright.study.references.regret import Regret
from gradwright.study.report.svg import (
    FAINT,
    FEWER,
    INK,
    Shades,
    end_labels,
    figure_of,
    name_width,
    per_cent,
    series_of,
    to_svg,
)
from gradwright.study.tasks.labels import one_line

SEEN = (-0.1, 0.3)
"""The widest range of regrets that is drawn: what lies beyond would press the rest together, and sits at the edge."""
WIDTH = 5.9


def regrets(found: Sequence[Regret], colours: Shades, salt: str = "") -> str:
    """Every task as a mark, the mean over tasks as a bar with its interval; arrowheads lie beyond the edge."""
    low, high = _range([share for each in found for share in each.tasks.values()])
    height = 0.8 + 0.42 * len(found)
    figure, axes = figure_of(WIDTH, height, left=name_width(colours, WIDTH, 9.0), right=0.97)
    axes.axvline(0, color=FAINT, lw=1)
    for row, each in enumerate(found):
        series = series_of(colours, each.contender)
        values = np.array(list(each.tasks.values()))
        within = (values >= low) & (values <= high)
        for some, marker in ((within, series.marker), (values > high, ">"), (values < low, "<")):
            shown = values[some].clip(low, high)
            axes.plot(shown, [row] * len(shown), ls="", marker=marker, ms=6.5, alpha=0.6, mew=0, clip_on=False,
                      **series.style())  # fmt: skip
        left, mean, right = np.clip((each.low, each.mean, each.high), low, high)
        axes.plot([left, right], [row, row], lw=2, **series.style())
        axes.plot([mean, mean], [row - 0.32, row + 0.32], lw=2.6, clip_on=False, **series.style())
    names = [one_line(each.contender, FEWER) for each in found]
    axes.set_yticks(range(len(found)), names, parse_math=False)
    axes.tick_params(axis="y", labelcolor=INK, length=0, labelsize=10)
    axes.set(xlim=(low, high), ylim=(len(found) - 0.5, -0.6), xlabel="behind the tuned AdamW (left of 0: ahead)")
    per_cent(axes.xaxis)
    return to_svg(figure, f"untuned-regrets-{salt}", "Regret of every contender on every task, and its mean over tasks")


def profiles(found: Sequence[Profile], colours: Shades, salt: str = "") -> str:
    """The share of tasks within a regret, as curves with bands."""
    figure, axes = figure_of(WIDTH, 3.2, left=0.6 / WIDTH, right=1 - name_width(colours, WIDTH, 9.5))
    axes.axvline(0, color=FAINT, lw=1)
    for each in reversed(found):
        series = series_of(colours, each.contender)
        axes.fill_between(each.at, each.low, each.high, step="post", alpha=0.08, lw=0, **series.style())
        axes.step(each.at, each.share, where="post", lw=series.width, ls=series.dash, **series.style())
    axes.set(xlim=(found[0].at[0], found[0].at[-1]), ylim=(0, 1.02))
    axes.set(xlabel="behind the tuned AdamW by at most", ylabel="share of the tasks")
    per_cent(axes.xaxis)
    per_cent(axes.yaxis)
    end_labels(axes, [(float(each.share[-1]), each.contender) for each in found], colours)
    return to_svg(figure, f"untuned-profiles-{salt}", "Share of the tasks on which a contender is within a regret")


def profile_range(found: Sequence[Regret]) -> np.ndarray:
    """The regrets at which profiles are drawn."""
    low, high = _range([share for each in found for share in each.tasks.values()])
    return np.linspace(low, high, 400)


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min([0.0, *values]), max([0.02, *values])
    room = 0.04 * (min(high, SEEN[1]) - max(low, SEEN[0]))
    return max(low - room, SEEN[0]), min(high + room, SEEN[1])
