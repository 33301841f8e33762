"""scikit-learn's handwritten digits, split once and for all."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from gradwright.study.tasks.seeding import generator
from gradwright.study.tasks.task import sha256


class Digits(NamedTuple):
    """Pixels in [0, 1], ``(n, 64)``, and labels ``(n,)``: 1100 to train on, 697 to validate."""

    x: Tensor
    y: Tensor
    x_validation: Tensor
    y_validation: Tensor
    sha256: str


@functools.cache
def digits() -> Digits:
    """The 1797 images in a fixed random order; the first 1100 are for training."""
    pixels, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=generator("digits", "split"))
    x = torch.from_numpy(pixels).float()[order] / 16
    y = torch.from_numpy(labels).long()[order]
    return Digits(x[:1100], y[:1100], x[1100:], y[1100:], sha256(x, y))
