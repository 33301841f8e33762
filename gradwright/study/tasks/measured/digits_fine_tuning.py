"""A perceptron that has learned already, and goes on: with more of the same data, or with other data.

Data: scikit-learn's digits. ``digits-continued`` starts at an optimum of a tenth of the training images and is given
all; ``digits-shifted`` starts at an optimum of all and is given the images moved by two columns.
Model: 64-128-128-10, pre-trained in ``start`` by 300 steps of Adam, whose rate falls from 3e-3 to 0, from the run's
own first weights. Budget: 300 steps of 64 images. Metric: validation loss on images as those that are given.
Why: a step that suits a model drawn at random undoes one that is at rest. Regret counts from the pre-trained model,
not from an untrained one, and a run that ends no better than it began counts as diverged: harm is seen as what it is.
Going on with the very data it has learned to the end has no regret, since nothing is left to gain, and is no task here.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gradwright.study.tasks.digits import Digits, digits
from gradwright.study.tasks.digits_classifier import READS, classifying, digits_task
from gradwright.study.tasks.perceptron import perceptron
from gradwright.study.tasks.task import Batches, Session, sha256

WIDTHS = (64, 128, 128, 10)
STEPS, RATE, BATCH = 300, 3e-3, 64
FEW, COLUMNS = 110, 2


@functools.cache
def shifted_digits() -> Digits:
    """The digits, moved by two columns to the right; what leaves the image there comes in at the left."""
    data = digits()
    x, x_validation = (each.view(-1, 8, 8).roll(COLUMNS, 2).reshape(-1, 64) for each in (data.x, data.x_validation))
    return data._replace(x=x, x_validation=x_validation, sha256=sha256(x, data.y, x_validation, data.y_validation))


def pretrained(x: Tensor, y: Tensor, *key: object) -> torch.nn.Sequential:
    """A perceptron, its weights drawn by the global generator, at rest on these images.

    Args:
        x: images ``(n, 64)``.
        y: their labels ``(n,)``.
        key: names the batches.
    """
    model = perceptron(*WIDTHS)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    batches = Batches(len(x), BATCH, *key, "pre-training")
    for step in range(STEPS):
        rows = batches(step)
        optimizer.zero_grad()
        with torch.enable_grad():
            cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
        schedule.step()
    model.zero_grad()
    return model


def start_continued(seed: int, batch: int = BATCH) -> Session:
    """At rest on the first tenth of the images, and given all of them."""
    data, name = digits(), "digits-continued"
    return classifying(pretrained(data.x[:FEW], data.y[:FEW], name, seed), data, name, seed, batch)


def start_shifted(seed: int, batch: int = BATCH) -> Session:
    """At rest on the images as they are, trained and judged on shifted ones."""
    data, name = digits(), "digits-shifted"
    return classifying(pretrained(data.x, data.y, name, seed), shifted_digits(), name, seed, batch)


CONTINUED = digits_task(
    "digits-continued",
    f"A perceptron at rest on a tenth of the images goes on with all: it {READS}.",
    start_continued,
    300,
)
SHIFTED = digits_task(
    "digits-shifted",
    f"A perceptron at rest on the images as they are is fine-tuned to shifted ones: it {READS}.",
    start_shifted,
    300,
    data=lambda: {"digits (scikit-learn, 1100 train, 697 validation, shifted)": shifted_digits().sha256},
)
