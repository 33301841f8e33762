"""A recurrent net on English text, without clipping: gradients that explode now and then.

Data: the topics of ``help()``, 0.7 MB of English in Python's own documentation, split by topic.
Model: a GRU of width 96 on embedded bytes. Budget: 300 steps of 16 windows of 96 bytes, each from a state of zeros.
Metric: validation loss a byte over 96 fixed windows.
Why: the oldest hard case of training; the step has to stand what a long product of matrices does.
"""

from __future__ import annotations

import functools
from pydoc_data.topics import topics

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gradwright.study.tasks.corpus import Corpus, fixed_windows, split, windows
from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Compared, Metric, Session, Task

WIDTH, LENGTH, JUDGED = 96, 96, 96


@functools.cache
def english() -> Corpus:
    """The topics in UTF-8, a tenth of them to validate."""
    return split({name: text.encode() for name, text in sorted(topics.items())}, 0.1)


class Recurrent(nn.Module):
    """Bytes ``(n, length)`` in, logits of the next ones ``(n, length, 256)`` out."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.gru = nn.Embedding(256, WIDTH), nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, 256)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(self.embedding(x))[0])


def start(seed: int, batch: int = 16) -> Session:
    """Random windows at each step, fixed ones to validate."""
    text, model, name = english(), Recurrent(), "topics-gru"
    x_validation, y_validation = fixed_windows(text.validation, JUDGED, LENGTH)

    def compared(step: int) -> tuple[Tensor, Tensor]:
        rng = generator(name, seed, "batches", step)
        x, y = windows(text.train, torch.randint(len(text.train) - LENGTH, (batch,), generator=rng), LENGTH)
        return model(x).flatten(0, 1), y.flatten()

    def evaluate() -> dict[str, float]:
        logits, next_byte = model(x_validation).flatten(0, 1), y_validation.flatten()
        right = (logits.argmax(1) == next_byte).float().mean()
        return {"nats_per_byte": cross_entropy(logits, next_byte).item(), "accuracy": right.item()}

    counts = text.train.bincount(minlength=256)
    return Session(model, Compared(compared, cross_entropy), evaluate, compared, class_counts=counts)


def _data() -> dict[str, str]:
    text = english()
    return {f"topics of Python's help ({text.files} texts, {len(text.train) / 1e6:.2f} MB to train on)": text.sha256}


TASK = Task(
    name="topics-gru",
    description="A recurrent net (GRU, width 96) predicts the next byte of the English topics of Python's help.",
    start=start,
    metrics=(
        Metric("nats_per_byte", "validation loss (nats per byte)"),
        Metric("accuracy", "share of bytes guessed right", lower_is_better=False, share=True),
    ),
    steps=300,
    data=_data,
    judge="accuracy",
)
