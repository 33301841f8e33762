"""The table: what each contender solved, claimed and spent."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

TOLERANCE = {"float64": 1e-6, "float32": 1e-4}
STEEP = 1e-3
"""A claim of convergence at a larger gradient norm is false."""


def best_values(runs: list[dict[str, Any]]) -> dict[str, float]:
    """The lowest float64 value of each problem over all runs; of float32 runs where there is no other."""
    best: dict[str, float] = {}
    for wanted in ("float64", "float32"):
        fresh: dict[str, float] = {}
        for run in runs:
            if run["dtype"] == wanted and run["problem"] not in best and math.isfinite(run["value"]):
                fresh[run["problem"]] = min(run["value"], fresh.get(run["problem"], math.inf))
        best.update(fresh)
    return best


def solved(run: dict[str, Any], best: dict[str, float]) -> bool:
    target = best.get(run["problem"], math.inf)
    return run["value"] <= target + TOLERANCE[run["dtype"]] * max(1.0, abs(target))


def summary(runs: list[dict[str, Any]], best: dict[str, float], contenders: list[str]) -> list[dict[str, Any]]:
    """One row per dtype and contender that ran."""
    rows = []
    there = {(run["dtype"], run["contender"]) for run in runs}
    for key in [(dtype, name) for dtype in TOLERANCE for name in contenders if (dtype, name) in there]:
        mine = [run for run in runs if (run["dtype"], run["contender"]) == key]
        won = [run for run in mine if solved(run, best)]
        work = [run["evaluations"] + run["products"] for run in won]
        rows.append(
            {
                "dtype": key[0],
                "contender": key[1],
                "problems": len(mine),
                "solved": len(won),
                "share": len(won) / len(mine),
                "false success": sum(run["success"] and not run["gradient"] <= STEEP for run in mine),
                "other minimum": sum(
                    run["success"] and run["gradient"] <= STEEP and not solved(run, best) for run in mine
                ),
                "solved, not claimed": sum(not run["success"] for run in won),
                "median cost": median(work) if work else math.nan,
            }
        )
    return rows


def text(rows: list[dict[str, Any]]) -> str:
    heads = list(rows[0]) if rows else []
    cells = [[f"{row[head]:.3g}" if isinstance(row[head], float) else str(row[head]) for head in heads] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in [heads, *cells]]
    return "\n".join(lines)
