"""Metric learning: images of one digit shall lie together on a sphere, others apart.

Data: scikit-learn's digits. Model: 64-128-128-16 with GELU, normalised to length 1. Loss: supervised contrastive
(arXiv:2004.11362), temperature 0.2, among the 128 images of a batch. Budget: 400 steps. Metric: the same loss on five
fixed batches of other images; beside it how often the nearest training image has the right label.
Why: every sample's gradient hangs on all others of the batch, and the last layer's size means nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.digits_classifier import digits_data
from gradwright.study.tasks.task import Batches, Metric, Session, Task

TEMPERATURE, JUDGED = 0.2, 5


class Embedder(nn.Module):
    """Images ``(n, 64)`` in, points of length 1 ``(n, 16)`` out."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 16)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return normalize(self.net(x), dim=1)


def supervised_contrastive(points: Tensor, labels: Tensor) -> Tensor:
    """The mean over pairs of one label of -log of its share among all pairs of the first; pairs with itself apart."""
    itself = torch.eye(len(points), dtype=torch.bool)
    likeness = (points @ points.T / TEMPERATURE).masked_fill(itself, float("-inf"))
    log_share = likeness - likeness.logsumexp(1, keepdim=True)
    together = (labels[:, None] == labels) & ~itself
    each = log_share.masked_fill(~together, 0.0).sum(1) / together.sum(1).clamp(min=1)
    return -each[together.any(1)].mean()


def start(seed: int, batch: int = 128) -> Session:
    """Shuffled batches."""
    data, model = digits(), Embedder()
    batches = Batches(len(data.x), batch, "digits-contrastive", seed)
    judged = Batches(len(data.x_validation), 128, "digits-contrastive", "validation")

    def loss(step: int) -> Tensor:
        rows = batches(step)
        return supervised_contrastive(model(data.x[rows]), data.y[rows])

    def evaluate() -> dict[str, float]:
        points, labels = model(data.x_validation), data.y_validation
        losses = [supervised_contrastive(points[rows], labels[rows]).item() for rows in map(judged, range(JUDGED))]
        nearest = (points @ model(data.x).T).argmax(1)
        right = (data.y[nearest] == labels).float().mean().item()
        return {"contrastive_loss": sum(losses) / JUDGED, "nearest_accuracy": right}

    return Session(model, loss, evaluate)


TASK = Task(
    name="digits-contrastive",
    description="A perceptron places handwritten digits on a sphere, those of one class together (contrastive loss).",
    start=start,
    metrics=(
        Metric("contrastive_loss", "validation loss (nats)"),
        Metric("nearest_accuracy", "accuracy of the nearest training image", lower_is_better=False, share=True),
    ),
    steps=400,
    data=digits_data,
)
