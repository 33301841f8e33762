"""Bars: what this benchmark promises, and whether a run keeps it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Any

from solvers.table import solved

SCIPY = ("scipy BFGS", "scipy trust-ncg", "scipy trust-krylov")
"""The unconstrained solvers of SciPy whose best is the reference in float64."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Bar:
    """One promise.

    Attributes:
        name: what is measured.
        reached, asked: the figure and its bar; NaN where a run is missing.
        most: whether the bar is the most it may be; else it is the least.
        note: what the bar is relative to.
    """

    name: str
    reached: float
    asked: float
    most: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        if math.isnan(self.reached) or math.isnan(self.asked):
            return "not run"
        kept = self.reached <= self.asked if self.most else self.reached >= self.asked
        return "pass" if kept else "miss"


def unconstrained(rows: Rows, runs: Rows, best: dict[str, float]) -> list[Bar]:
    """Counts of the default method beside SciPy's, in both precisions; false successes; the cost of a trust region."""
    ours = _share(rows, "float64", "auto")
    theirs = [_share(rows, "float64", name) for name in SCIPY]
    low, reference = _share(rows, "float32", "auto"), _share(rows, "float32", "scipy BFGS")
    ratio = _cost(runs, best, "trust-ncg", "scipy trust-ncg")
    return [
        Bar(
            "unconstrained, float64: share solved by auto", ours, max(theirs) + 0.04, note="SciPy's best of three + 4 %"
        ),
        Bar("unconstrained, float32: share solved by auto", low, reference + 0.08, note="SciPy's BFGS + 8 %"),
        Bar("unconstrained: false successes of ours", _false(rows), 0, most=True, note="a claim at ‖∇f‖ > 1e-3"),
        Bar("trust-ncg: median cost over that of SciPy's", ratio, 0.6, most=True, note="float64, where both solve"),
    ]


def bounded(rows: Rows) -> list[Bar]:
    ours, theirs = (_share(rows, "float64", name) for name in ("l-bfgs-b", "scipy L-BFGS-B"))
    return [
        Bar("bounded, float64: share solved by l-bfgs-b", ours, theirs, note="SciPy's L-BFGS-B"),
        Bar("bounded: false successes of ours", _false(rows), 0, most=True, note="a claim at ‖P(x − ∇f) − x‖ > 1e-3"),
    ]


def fits(rows: Rows) -> list[Bar]:
    """NIST's problems: all of them, from either start."""
    return [Bar(f"NIST, {row['start']}: solved by lm", row["lm"], row["problems"]) for row in rows]


def product(rows: Rows) -> list[Bar]:
    """The cost of a product in the precision that networks are trained in."""
    return [
        Bar(
            "retained Hessian product, in gradients",
            row["ratio"],
            1.6,
            most=True,
            note=f"{row['form']}, {row['dtype']}; torch alone {row['ratio by torch']:.2f}",
        )
        for row in rows
        if row["dtype"] == "float32"
    ]


def _share(rows: Rows, dtype: str, contender: str) -> float:
    return next((row["share"] for row in rows if (row["dtype"], row["contender"]) == (dtype, contender)), math.nan)


def _false(rows: Rows) -> float:
    ours = [row["false success"] for row in rows if not row["contender"].startswith("scipy")]
    return float(sum(ours)) if ours else math.nan


def _cost(runs: Rows, best: dict[str, float], ours: str, theirs: str) -> float:
    """The ratio of the median costs over the problems that both solve in float64."""
    cost = {
        (run["contender"], run["problem"]): run["evaluations"] + run["products"]
        for run in runs
        if run["dtype"] == "float64" and run["contender"] in (ours, theirs) and solved(run, best)
    }
    both = [name for contender, name in cost if contender == ours and (theirs, name) in cost]
    if not both:
        return math.nan
    return median(cost[ours, name] for name in both) / median(cost[theirs, name] for name in both)


def text(bars: list[Bar]) -> str:
    cells = [
        (bar.name, f"{bar.reached:.3g}", f"{'≤' if bar.most else '≥'} {bar.asked:.3g}", bar.verdict, bar.note)
        for bar in bars
    ]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells)
