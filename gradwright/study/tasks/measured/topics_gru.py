"""A recurrent net on English text, without clipping: gradients that explode now and then.

Data: the topics of ``help()``, 0.7 MB of English in Python's own documentation, split by topic.
Model: a GRU of width 96 on embedded bytes. Budget: 300 steps of 16 windows of 96 bytes, each from a state of zeros.
Metric: validation loss a byte over 96 fixed windows.
Why: the oldest hard case of training; the step has to stand what a long product of matrices does.
"""

from __future__ import annotations

import functools
from pydoc_data.topics import topics

from torch import Tensor, nn

from gradwright.study.tasks.corpus import Corpus, split
from gradwright.study.tasks.next_byte import METRICS, predicting
from gradwright.study.tasks.task import Session, Task

WIDTH, LENGTH = 96, 96


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
    """A fresh net on random windows."""
    return predicting(Recurrent(), english(), LENGTH, batch, "topics-gru", seed)


def _data() -> dict[str, str]:
    text = english()
    return {f"topics of Python's help ({text.files} texts, {len(text.train) / 1e6:.2f} MB to train on)": text.sha256}


TASK = Task(
    name="topics-gru",
    description="A recurrent net (GRU, width 96) predicts the next byte of the English topics of Python's help.",
    start=start,
    metrics=METRICS,
    steps=300,
    data=_data,
    judge="accuracy",
)
