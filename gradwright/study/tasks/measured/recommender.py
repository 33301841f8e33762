r"""A recommender of embeddings: rows that see a gradient as often as their item is popular.

Data: drawn from a known law. Item j of 3000 is met with a frequency proportional to 1/j, users alike; a user likes an
item with probability :math:`\sigma(\langle u, v \rangle + b)`, u and v of 8 numbers. 60 000 meetings to train on,
12 000 to validate. Model: 16 numbers and a bias for each user and item, 102 thousand weights. Budget: 800 steps of 256.
Metric: validation loss above that of the true probabilities; beside it for the 300 most popular items and for the rest.
Why: nothing but embeddings, most of them rarely touched: steps must not depend on how often a row is seen.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gradwright.study.tasks.seeding import derive
from gradwright.study.tasks.task import Batches, Metric, Session, Task, sha256

SIDE, TRUE_WIDTH, WIDTH, TRAIN, JUDGED, HEAD = 3000, 8, 16, 60_000, 12_000, 300


class Meetings(NamedTuple):
    """Users and items ``(n, 2)`` and whether they were liked ``(n,)``; the true loss of each to validate ``(n,)``."""

    pairs: Tensor
    liked: Tensor
    pairs_validation: Tensor
    liked_validation: Tensor
    floor: Tensor
    sha256: str


@functools.cache
def meetings() -> Meetings:
    """All of it, drawn once."""
    rng = np.random.Generator(np.random.PCG64(derive("recommender", "data")))
    users, items = rng.standard_normal((2, SIDE, TRUE_WIDTH)) / TRUE_WIDTH**0.25
    bias = rng.standard_normal(SIDE)
    popularity = 1 / np.arange(1, SIDE + 1)
    pairs = rng.choice(SIDE, size=(TRAIN + JUDGED, 2), p=popularity / popularity.sum())
    logit = torch.from_numpy((users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1) + bias[pairs[:, 1]])
    liked = (torch.from_numpy(rng.random(len(pairs))) < logit.sigmoid()).float()
    floor = binary_cross_entropy_with_logits(logit[TRAIN:].float(), liked[TRAIN:], reduction="none")
    both = torch.from_numpy(pairs)
    return Meetings(both[:TRAIN], liked[:TRAIN], both[TRAIN:], liked[TRAIN:], floor, sha256(both, liked))


class DotProduct(nn.Module):
    """The logit that the user likes the item, for pairs ``(n, 2)``."""

    def __init__(self) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(SIDE, WIDTH), nn.Embedding(SIDE, WIDTH)
        self.user_bias, self.item_bias = nn.Embedding(SIDE, 1), nn.Embedding(SIDE, 1)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)

    def forward(self, pairs: Tensor) -> Tensor:
        user, item = pairs.unbind(1)
        bias = self.user_bias(user) + self.item_bias(item)
        return (self.users(user) * self.items(item)).sum(1) + bias[:, 0]


def start(seed: int, batch: int = 256) -> Session:
    """Shuffled meetings."""
    data, model = meetings(), DotProduct()
    batches = Batches(len(data.pairs), batch, "recommender", seed)
    tail = data.pairs_validation[:, 1] >= HEAD

    def loss(step: int) -> Tensor:
        rows = batches(step)
        return binary_cross_entropy_with_logits(model(data.pairs[rows]), data.liked[rows])

    def evaluate() -> dict[str, float]:
        logits = model(data.pairs_validation)
        excess = binary_cross_entropy_with_logits(logits, data.liked_validation, reduction="none") - data.floor
        return {
            "excess_nll": excess.mean().item(),
            "head_excess": excess[~tail].mean().item(),
            "tail_excess": excess[tail].mean().item(),
        }

    return Session(model, loss, evaluate)


TASK = Task(
    name="recommender",
    description="Embeddings of users and items learn who likes what; both are met with Zipf frequencies (generated).",
    start=start,
    metrics=(
        Metric("excess_nll", "validation loss above that of the true law (nats)"),
        Metric("head_excess", "the same for the 300 most popular items"),
        Metric("tail_excess", "the same for all other items"),
    ),
    steps=800,
    data=lambda: {"likes (generated, 60 000 train, 12 000 validation)": meetings().sha256},
)
