"""A small U-Net takes noise out of a photograph.

Data: scikit-learn's photograph of a flower, in colours of [-1, 1]: patches of 16x16 pixels from its left three
quarters to train on, 256 of the right quarter to validate. Model: 3-24-48-24-3 channels, one halving and one way
around it, GroupNorm, SiLU; it predicts the noise. Budget: 300 steps of 16 patches, noise of deviation 0.3.
Metric: mean squared error of the cleaned patch, over the noise's variance. Why: convolutions at two scales and a skip.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from torch.nn.functional import interpolate, mse_loss

from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Metric, Session, Task, sha256

SIDE, NOISE, JUDGED = 16, 0.3, 256


class Photograph(NamedTuple):
    """Two parts of a photograph ``(3, height, width)``, one to train on and one to validate."""

    train: Tensor
    validation: Tensor
    sha256: str


@functools.cache
def photograph() -> Photograph:
    """The flower, cut at three quarters of its width."""
    image = torch.tensor(load_sample_images().images[1])
    colours = image.permute(2, 0, 1).float() / 127.5 - 1
    cut = 3 * image.shape[1] // 4
    return Photograph(colours[:, :, :cut], colours[:, :, cut:], sha256(image))


def noisy_patches(image: Tensor, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Patches with noise on them, and the noise, both ``(count, 3, 16, 16)``."""
    rows, columns = (torch.randint(size - SIDE, (count,), generator=rng).tolist() for size in image.shape[1:])
    patches = torch.stack([image[:, y : y + SIDE, x : x + SIDE] for y, x in zip(rows, columns)])
    noise = torch.randn(patches.shape, generator=rng)
    return patches + NOISE * noise, noise


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, GroupNorm, SiLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(4, outputs), nn.SiLU())


class UNet(nn.Module):
    """Noisy patches in, their noise out."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.down, self.coarse = block(3, 24), block(24, 48, 2), block(48, 48)
        self.joined, self.out = block(24 + 48, 24), nn.Conv2d(24, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        up = interpolate(self.coarse(self.down(fine)), scale_factor=2)
        return self.out(self.joined(torch.cat([fine, up], 1)))


def start(seed: int, batch: int = 16) -> Session:
    """Fresh patches and noise at each step, fixed ones to validate."""
    data, model, name = photograph(), UNet(), "photo-denoiser"
    x_validation, noise = noisy_patches(data.validation, JUDGED, generator(name, "validation"))

    def loss(step: int) -> Tensor:
        x, target = noisy_patches(data.train, batch, generator(name, seed, "batches", step))
        return mse_loss(model(x), target)

    return Session(model, loss, lambda: {"relative_mse": mse_loss(model(x_validation), noise).item()})


TASK = Task(
    name="photo-denoiser",
    description="A small U-Net takes noise out of patches of a photograph (scikit-learn's sample image of a flower).",
    start=start,
    metrics=(Metric("relative_mse", "mean squared error left, over that of the noise"),),
    steps=300,
    data=lambda: {"photograph of a flower (scikit-learn)": photograph().sha256},
)
