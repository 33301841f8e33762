"""A network of sines learns a photograph: the best learning rates lie ten times lower than elsewhere."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Metric, Session, Task, sha256

WIDTH, FREQUENCY = 128, 30.0


class Picture(NamedTuple):
    """Places ``(n, 2)`` and colours ``(n, 3)``, both in [-1, 1]."""

    places: Tensor
    colours: Tensor
    sha256: str


@functools.cache
def picture() -> Picture:
    """Every fourth pixel of scikit-learn's photograph of a Chinese temple."""
    image = torch.tensor(load_sample_images().images[0][::4, ::4])
    height, width, _ = image.shape
    rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    places = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1).view(-1, 2)
    return Picture(places, image.reshape(-1, 3).float() / 127.5 - 1, sha256(image))


class Sine(nn.Module):
    """sin(30 x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(FREQUENCY * x)


def siren() -> nn.Sequential:
    """2-128-128-128-3 with sines between, drawn as its authors do (arXiv:2006.09661)."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((2, WIDTH), (WIDTH, WIDTH), (WIDTH, WIDTH), (WIDTH, 3)):
        layer = nn.Linear(inputs, outputs)
        bound = 0.5 if inputs == 2 else (6 / inputs) ** 0.5 / FREQUENCY
        nn.init.uniform_(layer.weight, -bound, bound)
        layers += [layer, Sine()]
    return nn.Sequential(*layers[:-1])


def start(seed: int, batch: int = 256) -> Session:
    """Random pixels at each step, the whole picture to validate: it shall be learned by heart."""
    data, model = picture(), siren()

    def loss(step: int) -> Tensor:
        rng = generator("siren", seed, "batches", step)
        rows = torch.randint(len(data.places), (batch,), generator=rng)
        return mse_loss(model(data.places[rows]), data.colours[rows])

    return Session(model, loss, lambda: {"mse": mse_loss(model(data.places), data.colours).item()})


TASK = Task(
    name="siren",
    description="A network of sines (2-128-128-128-3) learns a photograph by heart (scikit-learn's sample image).",
    start=start,
    metrics=(Metric("mse", "mean squared error of a colour"),),
    steps=300,
    data=lambda: {"photograph of a temple (scikit-learn, every fourth pixel)": picture().sha256},
)
