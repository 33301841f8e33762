"""The adding problem: an LSTM has to carry two numbers through a sequence of others.

Data: generated: ten uniform numbers, two of them marked, one in either half; the target is the sum of the marked ones.
Model: an LSTM of width 48 and a linear head. Budget: 600 steps of 64 sequences. Metric: mean squared error on 1024
sequences; saying 1 always has 0.167. Why: a plateau with nearly no signal comes before the descent.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Metric, Session, Task, sha256

LENGTH, WIDTH, JUDGED = 10, 48, 1024


def sequences(count: int, *key: object) -> tuple[Tensor, Tensor]:
    """Numbers and marks ``(count, 10, 2)``, sums ``(count,)``."""
    rng = generator("adding-lstm", *key)
    numbers, half = torch.rand(count, LENGTH, generator=rng), LENGTH // 2
    places = torch.randint(half, (count, 2), generator=rng) + torch.tensor([0, half])
    marks = torch.zeros(count, LENGTH).scatter_(1, places, 1.0)
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(1)


class Adder(nn.Module):
    """Sequences ``(n, length, 2)`` in, a number ``(n,)`` out."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, WIDTH, batch_first=True), nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])[:, 0]


def start(seed: int, batch: int = 64) -> Session:
    """Fresh sequences at each step."""
    model = Adder()
    x_validation, y_validation = sequences(JUDGED, "validation")

    def loss(step: int) -> Tensor:
        x, y = sequences(batch, seed, "batches", step)
        return mse_loss(model(x), y)

    return Session(model, loss, lambda: {"mse": mse_loss(model(x_validation), y_validation).item()})


TASK = Task(
    name="adding-lstm",
    description="An LSTM of width 48 adds the two marked ones of ten numbers that it reads one after another.",
    start=start,
    metrics=(Metric("mse", "mean squared error of the sum"),),
    steps=600,
    data=lambda: {"adding problem (generated, 1024 sequences to validate)": sha256(*sequences(JUDGED, "validation"))},
)
