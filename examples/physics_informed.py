"""A differential equation as a least-squares problem
==================================================

−Δu = f on a square, u a small network.

The residuals of the equation inside and of u = 0 on the edge are fitted by Adam, by L-BFGS, and by Levenberg-Marquardt
on the residuals themselves, from the same start in float64. Adam comes to a loss of 10⁻³, L-BFGS to 10⁻⁴,
Levenberg-Marquardt to less than 10⁻⁵ in 45 iterations. Run: python examples/physics_informed.py, or in a few seconds
python examples/physics_informed.py --quick
"""

import argparse
import math
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

import gradwright
from gradwright.solvers import LBFGS, least_squares

EDGE_WEIGHT = 10.0

Net = dict[str, Tensor]


def solution(points: Tensor) -> Tensor:
    x, y = points.unbind(-1)
    return torch.sin(math.pi * x) * torch.sin(math.pi * y)


def network(width: int, seed: int = 0) -> Net:
    """Two hidden layers of tanh, Xavier's weights."""
    generator = torch.Generator().manual_seed(seed)
    sizes, net = (2, width, width, 1), {}
    for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        spread = math.sqrt(2 / (fan_in + fan_out))
        net[f"weight {index}"] = spread * torch.randn(fan_in, fan_out, generator=generator, dtype=torch.float64)
        net[f"bias {index}"] = torch.zeros(fan_out, dtype=torch.float64)
    return net


def value(net: Net, points: Tensor) -> Tensor:
    h = 2 * points - 1
    for index in range(2):
        h = torch.tanh(h @ net[f"weight {index}"] + net[f"bias {index}"])
    return (h @ net["weight 2"] + net["bias 2"])[:, 0]


def laplacian(net: Net, points: Tensor) -> Tensor:
    """Δu, with first and second derivatives carried forward through the layers beside the value."""
    h = 2 * points - 1
    first = 2 * torch.eye(2, dtype=h.dtype)[:, None, :].expand(2, len(h), 2)  # (direction, point, feature)
    second = torch.zeros_like(first)
    for index in range(2):
        weight = net[f"weight {index}"]
        h = torch.tanh(h @ weight + net[f"bias {index}"])
        slope, z, zz = 1 - h * h, first @ weight, second @ weight
        first, second = slope * z, slope * zz - 2 * h * slope * z * z
    return (second @ net["weight 2"]).sum(0)[:, 0]


def problem(points: int) -> Callable[[Net], tuple[Tensor, Tensor]]:
    """Residuals, each divided by the root of their number, so that half their sum of squares is the loss."""
    ticks = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    inside = torch.cartesian_prod(ticks, ticks)
    zero, one = torch.zeros(points, dtype=torch.float64), torch.ones(points, dtype=torch.float64)
    sides = [(zero, ticks), (one, ticks), (ticks, zero), (ticks, one)]
    edge = torch.cat([torch.stack(side, dim=1) for side in sides])
    force = 2 * math.pi**2 * solution(inside)

    def residuals(net: Net) -> tuple[Tensor, Tensor]:
        equation = (laplacian(net, inside) + force) / math.sqrt(len(inside))
        return equation, EDGE_WEIGHT * value(net, edge) / math.sqrt(len(edge))

    return residuals


class Record:
    """Seconds, loss and relative error of u along a run."""

    def __init__(self) -> None:
        ticks = torch.linspace(0, 1, 41, dtype=torch.float64)
        self.points = torch.cartesian_prod(ticks, ticks)
        self.true = solution(self.points)
        self.rows: list[tuple[float, float, float]] = []
        self.started = time.perf_counter()

    @torch.no_grad()
    def __call__(self, net: Net, loss: float) -> None:
        seconds = time.perf_counter() - self.started
        error = (value(net, self.points) - self.true).norm() / self.true.norm()
        self.rows.append((seconds, loss, float(error)))


def by_steps(make: Callable, net: Net, residuals: Callable, steps: int) -> tuple[Net, Record]:
    """Train with an optimizer's ``step(closure)``."""
    net = {name: torch.nn.Parameter(tensor.clone()) for name, tensor in net.items()}
    optimizer = make(net.values())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = sum(0.5 * (part * part).sum() for part in residuals(net))
        loss.backward()
        return loss

    record = Record()
    for step in range(steps):
        answer = optimizer.step(closure)
        loss = answer.item() if isinstance(answer, Tensor) else answer.loss
        if step % 10 == 0 or step == steps - 1:
            record(net, loss)
    return {name: tensor.detach() for name, tensor in net.items()}, record


def by_least_squares(net: Net, residuals: Callable, iterations: int) -> tuple[Net, Record]:
    record = Record()
    fit = least_squares(residuals, net, maxiter=iterations, callback=lambda x, row: record(x, row.value))
    print(f"Levenberg-Marquardt: {fit}")
    return fit.x, record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller network and fewer steps")
    parser.add_argument("--picture", default="physics_informed.png", help="where the picture goes; empty for none")
    arguments = parser.parse_args()
    quick = arguments.quick
    residuals, net = problem(6 if quick else 16), network(6 if quick else 16)
    print(f"{sum(t.numel() for t in net.values())} parameters, {sum(len(r) for r in residuals(net))} residuals\n")
    adam, lbfgs, iterations = (30, 20, 10) if quick else (4000, 1500, 45)
    runs = {
        "Adam": by_steps(lambda p: gradwright.AdamW(p, lr=3e-3, weight_decay=0.0), net, residuals, adam),
        "L-BFGS": by_steps(lambda p: LBFGS(p, history_size=30), net, residuals, lbfgs),
        "Levenberg-Marquardt": by_least_squares(net, residuals, iterations),
    }
    print(f"\n{'':20} {'loss':>9} {'error of u':>11} {'seconds':>8}")
    for name, (_, record) in runs.items():
        seconds, loss, error = record.rows[-1]
        print(f"{name:20} {loss:9.1e} {error:11.1e} {seconds:8.1f}")
    if arguments.picture:
        draw(runs, arguments.picture)
        print(f"\npicture: {arguments.picture}")


def draw(runs: dict, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    colours = {"Adam": "#c0562f", "L-BFGS": "#3a8f4d", "Levenberg-Marquardt": "#2a6fbb"}
    figure, panels = plt.subplot_mosaic(
        [["loss"] * 3 + ["error"] * 3, ["Adam"] * 2 + ["L-BFGS"] * 2 + ["Levenberg-Marquardt"] * 2],
        figsize=(12, 7.6), layout="constrained", height_ratios=(1, 1.05),
    )  # fmt: skip
    for name, (_, record) in runs.items():
        seconds, loss, error = zip(*record.rows)
        panels["loss"].plot(seconds, loss, color=colours[name], label=name)
        panels["error"].plot(seconds, error, color=colours[name], label=name)
    panels["loss"].set(yscale="log", xlabel="seconds", title="loss")
    panels["error"].set(yscale="log", xlabel="seconds", title="relative error of u")
    for name in ("loss", "error"):
        panels[name].grid(alpha=0.25)
        panels[name].legend(frameon=False)
    ticks = torch.linspace(0, 1, 101, dtype=torch.float64)
    points = torch.cartesian_prod(ticks, ticks)
    scale = LogNorm(1e-8, 1e-1)
    for name, (net, _) in runs.items():
        gap = (value(net, points) - solution(points)).abs().reshape(101, 101)
        picture = panels[name].imshow(gap.T, origin="lower", extent=(0, 1, 0, 1), norm=scale, cmap="magma")
        panels[name].set(title=f"|u − true|, {name}", xticks=(0, 1), yticks=(0, 1))
    figure.colorbar(picture, ax=[panels[name] for name in runs], shrink=0.9)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
