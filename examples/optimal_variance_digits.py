"""Ten steps of diffusion instead of a thousand
============================================

A small diffusion model of digits, sampled with the usual and the optimal variance.

    python examples/optimal_variance_digits.py             about two minutes on two cores; writes the picture
    python examples/optimal_variance_digits.py --quick     a few seconds; its digits are not worth looking at

It needs scikit-learn and matplotlib: pip install "gradwright[study]". The bound on the negative log-likelihood is that
of images which neither the network nor the variances have seen, in bits per pixel (17 levels of grey).
"""

import argparse
import copy
import math
from pathlib import Path

import matplotlib
import torch
from sklearn.datasets import load_digits
from torch import nn

import gradwright
from gradwright.diffusion import (
    DenoisingError,
    NoiseSchedule,
    decoder_nats,
    estimate_denoising_error,
    even_trajectory,
    likelihood_bound,
    noise_cap,
    sample,
    shortest_path,
    step_costs,
)
from gradwright.diffusion.prediction import to_data

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LEVEL, RANGE = 1 / 8, (-1.0, 1.0)  # 17 levels of grey
CAP = noise_cap(pixels=0.5, level=LEVEL)  # noise of half a level is gone when the grey is rounded
SHOWN = 10  # steps of the chains in the picture


class Denoiser(nn.Module):
    """ε̂(x_t, t): a residual network on 64 pixels, the time added to every block."""

    def __init__(self, width: int = 256, blocks: int = 4, steps: int = 1000) -> None:
        super().__init__()
        rates = torch.exp(torch.linspace(0, math.log(1000), 32)) * math.pi / steps
        self.register_buffer("rates", rates)
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.enter, self.leave = nn.Linear(64, width), nn.Linear(width, 64)
        self.shifts = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(blocks)
        )

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        wave = t[:, None] * self.rates
        time = self.time(torch.cat([wave.sin(), wave.cos()], 1))
        h = self.enter(x)
        for shift, block in zip(self.shifts, self.blocks):
            h = h + block(h + shift(time))
        return self.leave(h)


def load(held_out: int = 297) -> tuple[torch.Tensor, torch.Tensor]:
    """Images to learn from and images to judge by, (B, 64) in [−1, 1], shuffled once."""
    images = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
    images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
    return images[held_out:], images[:held_out]


def train(images: torch.Tensor, schedule: NoiseSchedule, steps: int, width: int) -> nn.Module:
    """The denoiser after ``steps`` batches, its weights averaged."""
    torch.manual_seed(0)
    network = Denoiser(width, steps=schedule.steps)
    average = copy.deepcopy(network)
    optimizer = gradwright.AdamW(network.parameters(), lr=2e-3)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps, pct_start=0.1, cycle_momentum=False)
    for step in range(steps):
        data = images[torch.randint(len(images), (128,))]
        noise, t = torch.randn_like(data), torch.randint(1, schedule.steps + 1, (len(data),))
        loss = (network(schedule.add_noise(data, noise, t), t) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), network.parameters()):
                slow.lerp_(fast, max(0.005, 9 / (step + 10)))
        if (step + 1) % max(1, steps // 5) == 0:
            print(f"step {step + 1} of {steps}, loss {loss.item():.3f}", flush=True)
    return average.eval()


def frechet(samples: torch.Tensor, images: torch.Tensor) -> float:
    """The Fréchet distance of two Gaussians with the pixels' means and covariances: how far the samples are off."""
    a, b = samples.double(), images.double()
    covariances = torch.cov(a.T), torch.cov(b.T)
    overlap = torch.linalg.eigvals(covariances[0] @ covariances[1]).real.clamp(min=0).sqrt().sum()
    return ((a.mean(0) - b.mean(0)).square().sum() + sum(c.trace() for c in covariances) - 2 * overlap).item()


def decoder(network: nn.Module, error: DenoisingError, images: torch.Tensor) -> float:
    """−ln p(x₀ | x_1) of the images, nats per pixel."""
    generator = torch.Generator().manual_seed(1)
    x = error.schedule.add_noise(images, torch.randn(images.shape, generator=generator), 1)
    with torch.no_grad():
        output = network(x, torch.ones(len(x), dtype=torch.int64))
    mean = to_data(error.schedule, "epsilon", output, x, 1).clamp(*RANGE)
    return decoder_nats(images, mean, error.at(1), LEVEL)


def mosaic(axis: plt.Axes, images: torch.Tensor, title: str, note: str, colour: str) -> None:
    """The first 36 images as one picture."""
    tiles = nn.functional.pad(images[:36].reshape(6, 6, 8, 8), (1, 1, 1, 1), value=-1.0)
    axis.imshow(tiles.permute(0, 2, 1, 3).reshape(60, 60).clamp(*RANGE), cmap="gray_r", interpolation="nearest")
    axis.set_title(title, fontsize=10.5, color=colour, loc="left", fontweight="bold")
    axis.set_xlabel(note, fontsize=9, loc="left")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_color(colour)


def chart(axis: plt.Axes, lengths: list[int], bits: dict[str, list[float]], colours: dict[str, str]) -> None:
    """The bound against the number of steps; what is far above the others is said in words."""
    for name, values in bits.items():
        axis.plot(lengths, values, "o-", color=colours[name], markersize=4, label=name)
    small, *others = bits.values()
    low, high = min(map(min, others)), max(map(max, others))
    axis.set(xscale="log", xlabel="steps", xticks=lengths, xticklabels=lengths)
    axis.set_ylim(low - 0.1 * (high - low), high + 0.6 * (high - low))
    axis.minorticks_off()
    above = [f"{value:.0f} at {length}" for value, length in zip(small, lengths) if value > axis.get_ylim()[1]]
    note = f"off the scale: {', '.join(above[:3])} steps" if above else ""
    axis.text(0.02, 0.985, note, transform=axis.transAxes, va="top", fontsize=8.5, color=colours["small variance"])
    axis.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(0.0, 0.95))
    axis.set_title("bound on −log₂ p(image), bits per pixel", fontsize=10.5, loc="left", fontweight="bold")
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("optimal_variance_digits.png"), help="the picture")
    options = parser.parse_args()
    steps, width, count, lengths = (3000, 256, 1000, [5, 10, 20, 50, 100, 200])
    if options.quick:
        steps, width, count, lengths = (40, 32, 100, [5, SHOWN])

    seen, unseen = load()
    # it begins with noise of a quarter of a level: less would only make the network tell the levels apart
    schedule = NoiseSchedule.linear(1000, first=(LEVEL / 4) ** 2)
    network = train(seen, schedule, steps, width)

    # all that the optimal variances need: one number a pixel at a few times, the rest is interpolated
    times = torch.logspace(0, 3, 8 if options.quick else 30).round().long().unique()
    error, judge = (
        estimate_denoising_error(network, images.split(500), schedule, times=times, per="pixel", samples=limit)
        for images, limit in ((seen, 100 if options.quick else None), (unseen, None))
    )
    costs = step_costs(error)

    def chains(length: int) -> dict[str, tuple[list[int], DenoisingError | str]]:
        even, best = even_trajectory(schedule.steps, length), shortest_path(costs, length, 1, schedule.steps)
        return {
            "small variance": (even, "small"),
            "large variance": (even, "large"),
            "optimal variance": (even, error),
            "optimal variance and times": (best, error),
        }

    colours = dict(zip(chains(5), ("#b0413e", "#c98a2b", "#1f6f8b", "#2d7d46")))
    known = {"second_moment": unseen.square().mean().item(), "decoder": decoder(network, error, unseen)}
    bits: dict[str, list[float]] = {name: [] for name in colours}
    for length in lengths:
        for name, (path, variance) in chains(length).items():
            bits[name].append(likelihood_bound(judge, path, variance=variance, **known).bits)

    figure, axes = plt.subplots(1, 4, figsize=(16, 4.3), width_ratios=(1, 1, 1, 1.35), layout="constrained")
    print(f"\n{SHOWN} steps{'bits per pixel':>36}{'Fréchet distance':>20}")
    panels = iter(axes)
    for name, (path, variance) in chains(SHOWN).items():
        drawn = sample(
            network,
            schedule,
            path,
            (count, 64),
            variance,
            data_range=RANGE,
            cap=CAP,
            generator=torch.Generator().manual_seed(0),
        )
        bound, distance = bits[name][lengths.index(SHOWN)], frechet(drawn, unseen)
        print(f"{name:<30}{bound:>13.2f}{distance:>20.2f}")
        if name != "large variance":
            note = f"{bound:.{0 if bound > 10 else 2}f} bits per pixel, Fréchet distance {distance:.2f}"
            mosaic(next(panels), drawn, f"{SHOWN} steps, {name}", note, colours[name])
    print(f"{'(images seen in training)':<43}{frechet(seen, unseen):>20.2f}")
    chart(next(panels), lengths, bits, colours)
    figure.savefig(options.out, dpi=130)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
