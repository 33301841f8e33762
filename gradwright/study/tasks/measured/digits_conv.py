"""Small convolutional nets on digits: with BatchNorm, and without any normalisation on labels that often lie.

Data: scikit-learn's digits, 1100 to train on and 697 clean ones to validate.
Models: two or three 3x3 convolutions and a head, ReLU, about 20 to 40 thousand weights.
Budget: 300 and 800 steps of 64 images. Metric: validation loss, whose labels are true in both tasks.
Why: BatchNorm makes the size of weights mean nothing and its statistics lag behind averaged weights; with 40 % of the
labels wrong, the longer and the faster a model learns, the more lies it learns by heart.
"""

from __future__ import annotations

import functools

import torch
from torch import nn

from gradwright.study.tasks.digits import Digits, digits
from gradwright.study.tasks.digits_classifier import READS, classifying, digits_task
from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import Session, sha256

WRONG = 0.4


@functools.cache
def noisy_digits() -> Digits:
    """The digits with 40 % of the training labels replaced by another class, drawn uniformly."""
    data = digits()
    rng = generator("digits-label-noise", "labels")
    wrong = torch.rand(len(data.y), generator=rng) < WRONG
    other = (data.y + torch.randint(1, 10, data.y.shape, generator=rng)) % 10
    labels = torch.where(wrong, other, data.y)
    return data._replace(y=labels, sha256=sha256(data.x, labels, data.x_validation, data.y_validation))


def convolutions() -> nn.Sequential:
    """16 and 32 channels at full size, a pool, a hidden layer of 64."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def normed_convolutions() -> nn.Sequential:
    """16, 32 and 64 channels with BatchNorm, halved in size twice, averaged over places."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 8, 8))]
    for inputs, outputs, stride in ((1, 16, 1), (16, 32, 2), (32, 64, 2)):
        convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def start_noise(seed: int, batch: int = 64) -> Session:
    """Trained on labels of which many are wrong, judged by true ones."""
    return classifying(convolutions(), noisy_digits(), "digits-label-noise", seed, batch)


def start_normed(seed: int, batch: int = 64) -> Session:
    """The net with BatchNorm on the digits as they are."""
    return classifying(normed_convolutions(), digits(), "digits-batch-norm", seed, batch)


LABEL_NOISE = digits_task(
    "digits-label-noise",
    f"A convolutional net {READS} of which 40 % of the training labels are wrong.",
    start_noise,
    800,
    data=lambda: {"digits (scikit-learn, 1100 train with 40 % wrong labels, 697 validation)": noisy_digits().sha256},
)
BATCH_NORM = digits_task("digits-batch-norm", f"A convolutional net with BatchNorm {READS}.", start_normed, 300)
