"""Linear layers with ReLU between them, in torch's default initialisation."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def perceptron(*widths: int) -> nn.Sequential:
    """Layers from each width to the next.

    >>> len(perceptron(64, 128, 10))
    3
    """
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])
