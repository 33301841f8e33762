"""Quantiles of a table as it was written down: nothing is scaled, neither columns nor answers.

Data: scikit-learn's diabetes, 442 patients, ten raw columns from 1 to 300, answers from 25 to 346; 300 to train on.
Model: 10-64-64-3 with SiLU. Loss: the pinball loss of the quantiles 0.1, 0.5 and 0.9. Budget: 600 steps of 32.
Metric: validation loss. Why: gradients of constant size, outputs far from where a model begins, a table of real people.
"""

from __future__ import annotations

import functools

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn

from gradwright.study.tasks.digits import Digits as Split
from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Batches, Metric, Session, Task, sha256

QUANTILES, TRAIN = (0.1, 0.5, 0.9), 300


@functools.cache
def patients() -> Split:
    """All of them in a fixed random order; the first 300 are for training."""
    x, y = (torch.from_numpy(each).float() for each in load_diabetes(return_X_y=True, scaled=False))
    order = torch.randperm(len(y), generator=generator("diabetes-quantiles", "split"))
    x, y = x[order], y[order]
    return Split(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], sha256(x, y))


def pinball(outputs: Tensor, y: Tensor) -> Tensor:
    """The mean over quantiles q of q times what is missing, or 1 - q times what is too much."""
    missing, q = y[:, None] - outputs, torch.tensor(QUANTILES)
    return torch.maximum(q * missing, (q - 1) * missing).mean()


def start(seed: int, batch: int = 32) -> Session:
    """Shuffled batches."""
    data = patients()
    model = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, len(QUANTILES)))
    batches = Batches(len(data.x), batch, "diabetes-quantiles", seed)

    def loss(step: int) -> Tensor:
        rows = batches(step)
        return pinball(model(data.x[rows]), data.y[rows])

    def evaluate() -> dict[str, float]:
        return {"pinball": pinball(model(data.x_validation), data.y_validation).item()}

    return Session(model, loss, evaluate)


TASK = Task(
    name="diabetes-quantiles",
    description="A perceptron predicts three quantiles of a disease's progress from ten raw columns (scikit-learn).",
    start=start,
    metrics=(Metric("pinball", "validation pinball loss"),),
    steps=600,
    data=lambda: {"diabetes (scikit-learn, 300 train, 142 validation, raw)": patients().sha256},
)
