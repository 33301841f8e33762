"""The lightest three-bar truss that carries its load
==================================================

A constrained design problem, its solution path, and its limits.

    python examples/constrained_design.py             some seconds; writes the picture
    python examples/constrained_design.py --quick     fewer loads

It needs matplotlib: pip install "gradwright[study]". Three bars hang from a wall at (-H, 0), (0, 0) and (H, 0) and meet
at a point below that carries a slanted load. The unknowns are the areas of the bars and the depth of the point. The
weight is minimised; stresses must stay within what the material bears in tension and (less) in compression, and the
point must not move too far. A multiplier says what relaxing its limit would save.
"""

import argparse
from pathlib import Path

import matplotlib
import torch

from gradwright.solvers import Constraint, minimize

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HALF, STIFFNESS, TENSION, COMPRESSION, SAG = 1.0, 1000.0, 2.0, 1.2, 0.0028
NAMES = ("left bar", "middle bar", "right bar")


def geometry(depth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Lengths (3,) and directions (3, 2) from the loaded point to the wall."""
    ends = torch.tensor([-HALF, 0.0, HALF], dtype=torch.float64)
    vectors = torch.stack([ends, depth.expand(3)], 1)
    lengths = vectors.norm(dim=1)
    return lengths, vectors / lengths[:, None]


def weight(x: torch.Tensor) -> torch.Tensor:
    """Areas times lengths; x = (three areas, depth)."""
    return x[:3] @ geometry(x[3])[0]


def response(x: torch.Tensor, load: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Displacement (2,) of the loaded point and the stresses (3,), by equilibrium: K u = load."""
    lengths, directions = geometry(x[3])
    K = directions.T @ ((STIFFNESS * x[:3] / lengths)[:, None] * directions)
    u = torch.linalg.solve(K, load)
    return u, -STIFFNESS * (directions @ u) / lengths


def design(load: torch.Tensor, start: torch.Tensor, **settings):
    """The lightest truss for a load, with the result's multipliers: three of stress, one of the displacement."""
    limits = [
        Constraint(lambda x: response(x, load)[1], -COMPRESSION, TENSION),
        Constraint(lambda x: response(x, load)[0].square().sum() / SAG**2, upper=1.0),
    ]
    box = (torch.tensor([0.01, 0.01, 0.01, 1.0]), torch.tensor([10.0, 10.0, 10.0, 3.0]))
    return minimize(weight, start, constraints=limits, bounds=box, **settings)


def draw(axis: plt.Axes, x: torch.Tensor, load: torch.Tensor, lowest: float, title: str) -> None:
    """The truss: the width of a bar is its area, red pulls, blue pushes."""
    stresses = response(x, load)[1]
    for end, area, stress in zip((-HALF, 0.0, HALF), x[:3], stresses):
        share = abs(float(stress)) / (TENSION if stress > 0 else COMPRESSION)
        colour = plt.get_cmap("RdBu_r")(0.5 + 0.5 * share * (1 if stress > 0 else -1))
        axis.plot([end, 0], [0, -float(x[3])], color=colour, linewidth=1.5 + 11 * float(area), solid_capstyle="butt")
    tip = (0.45 * float(load[0]), -float(x[3]) + 0.45 * float(load[1]))
    axis.annotate("", tip, (0, -float(x[3])), arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 1.5})
    axis.axhline(0, color="grey", linewidth=4, zorder=3)
    axis.set(xlim=(-1.3, 1.3), ylim=(lowest, 0.15), aspect="equal", xticks=[], yticks=[])
    axis.set_title(title, fontsize=10, loc="left", fontweight="bold")
    for spine in axis.spines.values():
        spine.set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer loads, to see that it runs")
    parser.add_argument("--picture", type=Path, default=Path("constrained_design.png"), help="where the picture goes")
    options = parser.parse_args()

    start = torch.tensor([1.0, 1.0, 1.0, 1.5], dtype=torch.float64)
    angles = torch.linspace(0, 80, 3 if options.quick else 17, dtype=torch.float64)
    loads = [torch.stack([torch.sin(a), -torch.cos(a)]) for a in angles.deg2rad()]
    results, at = [], start
    for angle, load in zip(angles, loads):
        result = design(load, at)
        if not result.success:
            raise SystemExit(f"load at {float(angle):.0f} degrees: {result}")
        results.append(result)
        at = result.x  # the next load is close: start from this truss
        print(
            f"load at {float(angle):>2.0f}°: weight {result.fun:.4f} after {result.nit} iterations, areas and depth",
            end=" ",
        )
        print(", ".join(f"{float(each):.3f}" for each in result.x))

    shown = [0, len(loads) // 2, len(loads) - 1]
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.6), width_ratios=(1, 1, 1, 1.3), layout="constrained")
    lowest = -max(float(each.x[3]) for each in results) - 0.6
    for axis, index in zip(axes, shown):
        draw(
            axis,
            results[index].x,
            loads[index],
            lowest,
            f"load at {float(angles[index]):.0f}°, weight {results[index].fun:.3f}",
        )
    last = axes[-1]
    prices = torch.stack([torch.cat(each.extra["multipliers"]).abs() for each in results])
    for column, name in enumerate((*[f"stress, {each}" for each in NAMES], "displacement")):
        if float(prices[:, column].max()) > 1e-6:
            last.plot(angles, prices[:, column], "o-", markersize=3.5, label=name)
    last.set(xlabel="angle of the load, degrees", ylabel="weight per unit of the limit")
    last.set_title("what relaxing a limit would save (multipliers)", fontsize=10, loc="left", fontweight="bold")
    last.legend(frameon=False, fontsize=9)
    last.grid(alpha=0.25)
    last.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.picture, dpi=120)
    print(f"wrote {options.picture}")


if __name__ == "__main__":
    main()
