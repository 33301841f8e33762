"""A diffusion model of digits: a regression whose targets are pure noise.

Data: scikit-learn's digits, pixels in [-1, 1]. Model: a perceptron of three hidden layers of 128 with SiLU, which is
told the time by 32 sines and cosines. Budget: 1500 steps of 128 images.
Metric: mean squared error of the predicted noise at times and noises that are the same for every run.
Why: the loss of a batch is mostly the luck of its times, the gradients are noisy to the end, and learning is slow.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.digits_classifier import digits_data
from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Batches, Metric, Session, Task

TIMES, WIDTH, WAVES, REPEATS = 100, 128, 16, 8


def signal(times: Tensor) -> Tensor:
    """The share of the image that is left at a time of 0 ... 99, falling as a squared cosine (arXiv:2102.09672)."""
    return torch.cos(0.5 * math.pi * (times + 1) / (TIMES + 1)).square()


class Denoiser(nn.Module):
    """The noise in ``x`` ``(n, 64)`` at ``times`` ``(n,)``."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (64 + 2 * WAVES, WIDTH, WIDTH):
            layers += [nn.Linear(inputs, WIDTH), nn.SiLU()]
        self.net = nn.Sequential(*layers, nn.Linear(WIDTH, 64))

    def forward(self, x: Tensor, times: Tensor) -> Tensor:
        angles = times[:, None] * torch.logspace(0, -3, WAVES)
        return self.net(torch.cat([x, angles.sin(), angles.cos()], 1))


def start(seed: int, batch: int = 128) -> Session:
    """Times and noise of a step belong to the step."""
    data, model, name = digits(), Denoiser(), "digits-ddpm"
    batches = Batches(len(data.x), batch, name, seed)

    def error(pixels: Tensor, rng: torch.Generator) -> Tensor:
        x = 2 * pixels - 1
        times = torch.randint(TIMES, (len(x),), generator=rng)
        noise = torch.randn(x.shape, generator=rng)
        kept = signal(times)[:, None]
        return mse_loss(model(kept.sqrt() * x + (1 - kept).sqrt() * noise, times), noise)

    def loss(step: int) -> Tensor:
        return error(data.x[batches(step)], generator(name, seed, "noise", step))

    def evaluate() -> dict[str, float]:
        images = data.x_validation.repeat(REPEATS, 1)
        return {"eps_mse": error(images, generator(name, "evaluation")).item()}

    return Session(model, loss, evaluate)


TASK = Task(
    name="digits-ddpm",
    description="A diffusion model learns to tell noise from handwritten digits (a perceptron of width 128).",
    start=start,
    metrics=(Metric("eps_mse", "mean squared error of the noise"),),
    steps=1500,
    data=digits_data,
)
