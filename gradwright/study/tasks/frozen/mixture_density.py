r"""A mixture density network: several answers to one question, each with a spread of its own.

Data: drawn from :math:`x = y + 0.3 \sin 2\pi y + 0.03\,\varepsilon`, y uniform in [0, 1]; y is asked for x, where it
has up to three values. 4000 to train on, 2000 to validate. Model: 1-64-64-24 with tanh: eight Gaussians.
Budget: 800 steps of 128. Metric: validation loss (nats; it may be below 0).
Why: a likelihood without a floor, whose gradients grow as the spreads shrink.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gradwright.study.tasks.seeding import derive
from gradwright.study.tasks.task import Batches, Metric, Session, Task, sha256

GAUSSIANS, TRAIN = 8, 4000


class Curve(NamedTuple):
    """Questions ``(n, 1)`` and answers ``(n,)``."""

    x: Tensor
    y: Tensor
    x_validation: Tensor
    y_validation: Tensor
    sha256: str


@functools.cache
def curve() -> Curve:
    """Rounded, so that the hash does not hang on the last bit of a processor's sine."""
    rng = np.random.Generator(np.random.PCG64(derive("mixture-density", "data")))
    y = rng.random(6000)
    x = y + 0.3 * np.sin(2 * np.pi * y) + 0.03 * rng.standard_normal(6000)
    x, y = (torch.tensor(np.round(each, 4), dtype=torch.float32) for each in (x, y))
    x = x[:, None]
    return Curve(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], sha256(x, y))


def negative_log_likelihood(outputs: Tensor, y: Tensor) -> Tensor:
    """Of ``y`` ``(n,)`` under mixtures whose weights, means and log deviations are ``outputs`` ``(n, 24)``."""
    weight, mean, log_deviation = outputs.chunk(3, 1)
    distance = (y[:, None] - mean) * (-log_deviation).exp()
    log_density = -0.5 * distance.square() - log_deviation - 0.5 * math.log(2 * math.pi)
    return -(weight.log_softmax(1) + log_density).logsumexp(1).mean()


def start(seed: int, batch: int = 128) -> Session:
    """Shuffled batches."""
    data = curve()
    model = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 3 * GAUSSIANS))
    batches = Batches(len(data.x), batch, "mixture-density", seed)

    def loss(step: int) -> Tensor:
        rows = batches(step)
        return negative_log_likelihood(model(data.x[rows]), data.y[rows])

    def evaluate() -> dict[str, float]:
        return {"validation_nll": negative_log_likelihood(model(data.x_validation), data.y_validation).item()}

    return Session(model, loss, evaluate)


TASK = Task(
    name="mixture-density",
    description="A mixture density network (eight Gaussians) learns a curve that has up to three values (generated).",
    start=start,
    metrics=(Metric("validation_nll", "validation loss (nats)"),),
    steps=800,
    data=lambda: {"folded curve (generated, 4000 train, 2000 validation)": curve().sha256},
)
