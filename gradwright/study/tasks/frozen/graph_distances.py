"""Message passing on random graphs: how far is every node from a marked one?

Data: 1200 generated graphs of 16 nodes, each pair joined with probability 0.14, one node marked; 900 to train on.
Model: five rounds of one shared block (a sum over neighbours, 64-64, ReLU, residual), then logits of distances 0 to 5,
the last one for all that are farther or cannot be reached. Budget: 150 steps of 32 graphs. Metric: validation loss.
Why: shared weights applied again and again, sums that grow with a node's degree, no normalisation.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Batches, Metric, Session, Task, sha256

NODES, GRAPHS, TRAIN, FARTHEST, WIDTH, ROUNDS = 16, 1200, 900, 5, 64, 5


class Graphs(NamedTuple):
    """Symmetric adjacencies ``(n, 16, 16)`` and the distances of all nodes from node 0 ``(n, 16)``."""

    joined: Tensor
    distance: Tensor
    sha256: str


@functools.cache
def graphs() -> Graphs:
    """All graphs; nodes are alike but for the mark, so that node 0 may bear it."""
    chance = torch.rand(GRAPHS, NODES, NODES, generator=generator("graph-distances", "data"))
    upper = (chance < 0.14).triu(1)
    joined = (upper | upper.transpose(1, 2)).float()
    distance = torch.full((GRAPHS, NODES), FARTHEST)
    reached = torch.zeros(GRAPHS, NODES)
    reached[:, 0] = 1
    for step in range(FARTHEST):
        distance = torch.where(reached > 0, distance.clamp(max=step), distance)
        reached = ((joined @ reached[:, :, None])[:, :, 0] + reached).clamp(max=1)
    return Graphs(joined, distance, sha256(joined, distance))


class MessagePassing(nn.Module):
    """Adjacencies in, logits ``(n, 16, 6)`` out."""

    def __init__(self) -> None:
        super().__init__()
        self.mark, self.head = nn.Embedding(2, WIDTH), nn.Linear(WIDTH, FARTHEST + 1)
        self.block = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, joined: Tensor) -> Tensor:
        marked = torch.zeros(NODES, dtype=torch.long)
        marked[0] = 1
        state = self.mark(marked).expand(len(joined), -1, -1)
        for _ in range(ROUNDS):
            state = state + self.block(torch.cat([state, joined @ state], -1))
        return self.head(state)


def start(seed: int, batch: int = 32) -> Session:
    """Shuffled graphs."""
    data, model = graphs(), MessagePassing()
    batches = Batches(TRAIN, batch, "graph-distances", seed)
    y_validation = data.distance[TRAIN:].flatten()

    def loss(step: int) -> Tensor:
        rows = batches(step)
        return cross_entropy(model(data.joined[rows]).flatten(0, 1), data.distance[rows].flatten())

    def evaluate() -> dict[str, float]:
        logits = model(data.joined[TRAIN:]).flatten(0, 1)
        right = (logits.argmax(1) == y_validation).float().mean()
        return {"validation_nll": cross_entropy(logits, y_validation).item(), "accuracy": right.item()}

    return Session(model, loss, evaluate)


TASK = Task(
    name="graph-distances",
    description="Message passing finds the distance of every node of a random graph from a marked one (generated).",
    start=start,
    metrics=(
        Metric("validation_nll", "validation loss of a node (nats)"),
        Metric("accuracy", "share of distances that are right", lower_is_better=False, share=True),
    ),
    steps=150,
    data=lambda: {"random graphs (generated, 900 train, 300 validation)": graphs().sha256},
)
