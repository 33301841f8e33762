"""Counts from raw, heavy-tailed columns: gradients that are mostly noise, and now and then enormous."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import poisson_nll_loss

from gradwright.study.tasks.seeding import derive
from gradwright.study.tasks.task import Batches, Metric, Session, Task, sha256


class Counts(NamedTuple):
    """Columns ``(n, 8)`` and counts ``(n,)``: 4500 to train on, 1500 to validate; the loss of the true rates."""

    x: Tensor
    y: Tensor
    x_validation: Tensor
    y_validation: Tensor
    floor: float
    sha256: str


@functools.cache
def counts() -> Counts:
    r"""Columns :math:`e^{1.2 z_i}` in units from 0.1 to 100, rates :math:`\exp(0.6 z_0 - 0.25 z_1 z_3 + 0.4 |z_6|)`."""
    rng = np.random.Generator(np.random.PCG64(derive("counts", "data")))
    z = rng.standard_normal((6000, 8))
    x = np.exp(1.2 * z) * np.logspace(-1, 2, 8)
    log_rate = 0.6 * z[:, 0] - 0.25 * z[:, 1] * z[:, 3] + 0.4 * np.abs(z[:, 6])
    y = rng.poisson(np.exp(log_rate))
    # rounded, so that the hash does not hang on the last bit of a processor's exp
    x, y = (torch.tensor(np.round(array, 3), dtype=torch.float32) for array in (x, y))
    floor = poisson_nll_loss(torch.tensor(log_rate[4500:]).float(), y[4500:]).item()
    return Counts(x[:4500], y[:4500], x[4500:], y[4500:], floor, sha256(x, y))


def start(seed: int, batch: int = 64) -> Session:
    """8-64-64-1 with tanh, whose output is the logarithm of the rate."""
    data = counts()
    model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    batches = Batches(len(data.x), batch, "counts", seed)

    def loss(step: int) -> Tensor:
        rows = batches(step)
        return poisson_nll_loss(model(data.x[rows])[:, 0], data.y[rows])

    def evaluate() -> dict[str, float]:
        return {"excess_nll": poisson_nll_loss(model(data.x_validation)[:, 0], data.y_validation).item() - data.floor}

    return Session(model, loss, evaluate)


TASK = Task(
    name="counts",
    description="A perceptron predicts counts from raw, heavy-tailed columns (drawn from a known law).",
    start=start,
    metrics=(Metric("excess_nll", "validation loss above that of the true rates (nats)"),),
    steps=500,
    data=lambda: {"counts (6000 rows, drawn)": counts().sha256},
)
