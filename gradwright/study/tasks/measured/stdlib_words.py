"""A word model of four-grams: most of its rows see a gradient once in a while, a few at every step.

Data: words, numbers and signs of the standard library's sources, about a million; the 4095 commonest and one symbol
for all others. Model: three words of 48 numbers each, a hidden layer of 128, logits of 4096 words, not tied.
Budget: 600 steps of 256 places. Metric: loss on 4096 places of other files; beside it the loss on the 512 commonest
words and on the rest. Why: sparse gradients and a long tail, on real text.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gradwright.study.tasks.corpus import standard_library
from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Compared, Metric, Session, Task

WORDS, HEAD, CONTEXT, JUDGED = 4096, 512, 3, 4096
PATTERN = re.compile(rb"[A-Za-z_]+|[0-9]+|[^\sA-Za-z_0-9]")


class Words(NamedTuple):
    """Ranks of the words by how common they are, 0 for all that are too rare, in order of the text."""

    train: Tensor
    validation: Tensor
    sha256: str


@functools.cache
def words() -> Words:
    """The standard library's sources in words; words of one count rank by their letters."""
    text = standard_library()
    train, validation = (PATTERN.findall(part.numpy().tobytes()) for part in (text.train, text.validation))
    ranked = sorted(Counter(train).items(), key=lambda each: (-each[1], each[0]))
    rank = {word: place for place, (word, _) in enumerate(ranked[: WORDS - 1], start=1)}
    return Words(*(torch.tensor([rank.get(word, 0) for word in part]) for part in (train, validation)), text.sha256)


class FourGrams(nn.Module):
    """Three words ``(n, 3)`` in, logits of the next ``(n, 4096)`` out."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(WORDS, 48), nn.Linear(48 * CONTEXT, 128)
        self.head = nn.Linear(128, WORDS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.hidden(self.embedding(x).flatten(1)).relu())


def places(text: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Three words from each start and the one after them."""
    rows = text[starts[:, None] + torch.arange(CONTEXT + 1)]
    return rows[:, :-1], rows[:, -1]


def start(seed: int, batch: int = 256) -> Session:
    """Random places at each step, fixed ones to validate."""
    data, model, name = words(), FourGrams(), "stdlib-words"
    spread = torch.linspace(0, len(data.validation) - CONTEXT - 1, JUDGED).long()
    x_validation, y_validation = places(data.validation, spread)
    tail = y_validation >= HEAD

    def compared(step: int) -> tuple[Tensor, Tensor]:
        rng = generator(name, seed, "batches", step)
        x, y = places(data.train, torch.randint(len(data.train) - CONTEXT, (batch,), generator=rng))
        return model(x), y

    def evaluate() -> dict[str, float]:
        logits = model(x_validation)
        each = cross_entropy(logits, y_validation, reduction="none")
        return {
            "validation_nll": each.mean().item(),
            "head_nll": each[~tail].mean().item(),
            "tail_nll": each[tail].mean().item(),
            "accuracy": (logits.argmax(1) == y_validation).float().mean().item(),
        }

    counts = data.train.bincount(minlength=WORDS)
    return Session(model, Compared(compared, cross_entropy), evaluate, compared, class_counts=counts)


TASK = Task(
    name="stdlib-words",
    description="A word model of four-grams (4096 words) predicts the next word of the standard library's sources.",
    start=start,
    metrics=(
        Metric("validation_nll", "validation loss (nats per word)"),
        Metric("head_nll", "loss on the 512 commonest words (nats)"),
        Metric("tail_nll", "loss on all other words (nats)"),
        Metric("accuracy", "share of words guessed right", lower_is_better=False, share=True),
    ),
    steps=600,
    data=lambda: {f"Python's standard library ({len(words().train)} words to train on)": words().sha256},
    judge="accuracy",
)
