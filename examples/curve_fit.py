"""Fitting a curve when some readings are wrong
============================================

A decaying oscillation, some readings of which are wrong.

Levenberg-Marquardt on residuals, with standard errors and a confidence band from the Jacobian; and the same fit with a
robust loss, which wrong readings do not move. Run: python examples/curve_fit.py, or
with fewer readings python examples/curve_fit.py --quick
"""

import argparse
import math

import torch

from gradwright.solvers import least_squares

TRUE = {"height": 2.0, "rate": 0.35, "frequency": 0.8, "phase": 0.6, "offset": 0.5}
NOISE = 0.1


def model(x: dict, t: torch.Tensor) -> torch.Tensor:
    wave = torch.cos(2 * math.pi * x["frequency"] * t + x["phase"])
    return x["offset"] + x["height"] * torch.exp(-x["rate"] * t) * wave


def readings(points: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Times, values, and which of them are wrong: every twelfth."""
    generator = torch.Generator().manual_seed(1)
    t = torch.linspace(0, 8, points, dtype=torch.float64)
    truth = {name: torch.tensor(value, dtype=torch.float64) for name, value in TRUE.items()}
    y = model(truth, t) + NOISE * torch.randn(points, generator=generator, dtype=torch.float64)
    wrong = torch.arange(points) % 12 == 7
    return t, torch.where(wrong, y + 1.8, y), wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer readings")
    parser.add_argument("--picture", default="curve_fit.png", help="where the picture goes; empty for none")
    arguments = parser.parse_args()
    t, y, wrong = readings(48 if arguments.quick else 120)
    guess = {"height": 1.0, "rate": 0.1, "frequency": 0.75, "phase": 0.0, "offset": 0.0}
    x0 = {name: torch.tensor(value, dtype=torch.float64) for name, value in guess.items()}

    def residuals(x: dict) -> torch.Tensor:
        return model(x, t) - y

    fits = {
        "all readings, plain": least_squares(residuals, x0),
        "all readings, Cauchy": least_squares(residuals, x0, loss="cauchy", f_scale=2 * NOISE),
        "right readings, plain": least_squares(lambda x: residuals(x)[~wrong], x0),
    }
    print(f"{'':22} " + " ".join(f"{name:>18}" for name in TRUE))
    print(f"{'truth':22} " + " ".join(f"{value:18.4f}" for value in TRUE.values()))
    for name, fit in fits.items():
        values = [float(value) for value in fit.x.values()]
        plain = name.endswith("plain")
        errors = fit.standard_errors().tolist() if plain else [None] * len(values)
        cells = [f"{v:9.4f} ± {e:6.4f}" if plain else f"{v:9.4f}" for v, e in zip(values, errors)]
        print(f"{name:22} " + " ".join(f"{cell:>18}" for cell in cells))
        print(f"{'':22} {fit}")
    if arguments.picture:
        draw(fits, t, y, wrong, arguments.picture)
        print(f"\npicture: {arguments.picture}")


def band(fit, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The fitted curve and twice its standard error, by the derivative of the curve along each parameter."""
    slopes = torch.func.jacrev(model)(fit.x, t)
    J = torch.stack([slopes[name] for name in fit.x], dim=1)
    return model(fit.x, t), 2 * ((J @ fit.covariance()) * J).sum(1).sqrt()


def draw(fits: dict, t: torch.Tensor, y: torch.Tensor, wrong: torch.Tensor, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fine = torch.linspace(0, 8, 400, dtype=torch.float64)
    truth = model({name: torch.tensor(value, dtype=torch.float64) for name, value in TRUE.items()}, fine)
    figure, axes = plt.subplots(figsize=(9, 4.8), layout="constrained")
    axes.plot(fine, truth, color="black", linestyle=":", linewidth=1.5, label="truth")
    curve, width = band(fits["right readings, plain"], fine)
    axes.fill_between(fine, curve - width, curve + width, color="#2a6fbb", alpha=0.2, linewidth=0)
    axes.plot(fine, curve, color="#2a6fbb", label="plain, right readings, ±2 standard errors")
    curve, width = band(fits["all readings, plain"], fine)
    axes.fill_between(fine, curve - width, curve + width, color="#c0562f", alpha=0.15, linewidth=0)
    axes.plot(fine, curve, color="#c0562f", label="plain, all readings, ±2 standard errors")
    robust = model(fits["all readings, Cauchy"].x, fine)
    axes.plot(fine, robust, color="#3a8f4d", linestyle="--", linewidth=2, label="Cauchy loss, all readings")
    axes.plot(t[~wrong], y[~wrong], "o", color="0.35", markersize=3.5, label="readings")
    axes.plot(t[wrong], y[wrong], "x", color="#c0562f", markersize=7, label="wrong readings")
    axes.set(xlabel="time", ylabel="reading", title="One curve, three fits")
    axes.legend(ncols=2, frameon=False)
    axes.grid(alpha=0.25)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
