"""Perceptrons without normalisation that read handwritten digits: deep, shallow, wide, four images at a time."""

from __future__ import annotations

from functools import partial

from gradwright.study.tasks.digits import digits
from gradwright.study.tasks.digits_classifier import READS, classifying, digits_task
from gradwright.study.tasks.perceptron import perceptron
from gradwright.study.tasks.task import Session, Task


def start(seed: int, name: str, hidden: tuple[int, ...], batch: int = 64) -> Session:
    """64 pixels through the hidden layers to 10 classes, with ReLU and torch's default initialisation.

    Args:
        seed: of the run.
        name: of the task, which enters the batches.
        hidden: widths of the hidden layers.
        batch: images in a batch.
    """
    return classifying(perceptron(64, *hidden, 10), digits(), name, seed, batch)


def perceptron_task(name: str, description: str, hidden: tuple[int, ...], steps: int, batch: int = 64) -> Task:
    """A task of a perceptron with these hidden layers.

    Args:
        name: the word for the command line.
        description: one sentence for the report.
        hidden: widths of the hidden layers.
        steps: the usual number of steps.
        batch: images in a batch.
    """
    return digits_task(name, description, partial(start, name=name, hidden=hidden, batch=batch), steps)


TASK = perceptron_task("digits-mlp", f"A ten-layer perceptron without normalisation {READS}.", (128,) * 9, 600)
"""The signal all but vanishes, and plain SGD never leaves the start."""
DEEP = perceptron_task("digits-mlp-17", f"A perceptron of 17 layers without normalisation {READS}.", (128,) * 16, 600)
"""Deeper than where AdamW at its default still learns."""
SHALLOW = perceptron_task("digits-shallow", f"A three-layer perceptron {READS}.", (128, 128), 300)
TINY_BATCHES = perceptron_task(
    "digits-batch-4", f"A three-layer perceptron {READS} four at a time.", (128, 128), 300, 4
)
WIDE = perceptron_task("digits-wide", f"A three-layer perceptron of width 2048 {READS}.", (2048, 2048), 300)
