"""Predicting the next byte of a text: what all models that do so share, whatever they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gradwright.study.tasks.corpus import Corpus, fixed_windows, windows
from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Compared, Metric, Session

JUDGED = 96
"""Windows to validate with."""
METRICS = (
    Metric("nats_per_byte", "validation loss (nats per byte)"),
    Metric("accuracy", "share of bytes guessed right", lower_is_better=False, share=True),
)


def predicting(model: nn.Module, text: Corpus, length: int, rows: int, name: str, seed: int) -> Session:
    """Random windows at each step; fixed ones to validate.

    Args:
        model: from bytes ``(rows, length)`` to logits of the next ones ``(rows, length, 256)``.
        text: what is read.
        length: of a window.
        rows: windows in a batch.
        name: of the task, which enters the batches.
        seed: of the run.
    """
    x_validation, y_validation = fixed_windows(text.validation, JUDGED, length)

    def compared(step: int) -> tuple[Tensor, Tensor]:
        rng = generator(name, seed, "batches", step)
        starts = torch.randint(len(text.train) - length, (rows,), generator=rng)
        x, y = windows(text.train, starts, length)
        return model(x).flatten(0, 1), y.flatten()

    def evaluate() -> dict[str, float]:
        logits, next_byte = model(x_validation).flatten(0, 1), y_validation.flatten()
        right = (logits.argmax(1) == next_byte).float().mean()
        return {"nats_per_byte": cross_entropy(logits, next_byte).item(), "accuracy": right.item()}

    counts = text.train.bincount(minlength=256)
    return Session(model, Compared(compared, cross_entropy), evaluate, compared, class_counts=counts)
