"""Data for small runs: a teacher's classes, images of digits, text, and curves; all from a seed."""

from __future__ import annotations

import inspect
import random
import string
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Data:
    """Inputs and targets for training and for validation.

    Attributes:
        x, y: training samples.
        held_x, held_y: validation samples.
        classes: K; 0 for regression.
    """

    x: Tensor
    y: Tensor
    held_x: Tensor
    held_y: Tensor
    classes: int

    def first(self, count: int) -> Data:
        """With fewer training samples."""
        return replace(self, x=self.x[:count], y=self.y[:count])


def teacher(seed: int, classes: int = 10, features: int = 24, count: int = 4096, sharp: float = 12.0) -> Data:
    """Normal inputs, classes drawn from the scores of a random network: the sharper they are, the easier."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count + 512, features, generator=draw)
    hidden = torch.tanh(x @ torch.randn(features, 32, generator=draw) / features**0.5)
    scores = hidden @ torch.randn(32, classes, generator=draw)
    scores = sharp * (scores - scores.mean(0)) / scores.std(0)
    chance = -torch.rand(scores.shape, generator=draw).log().neg().log()  # of Gumbel: labels are drawn, not chosen
    y = (scores + chance).argmax(1)
    return Data(x[:count], y[:count], x[count:], y[count:], classes)


@lru_cache
def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return torch.tensor(found.images, dtype=torch.float32) / 16, torch.tensor(found.target)


def digits(seed: int, flat: bool = True) -> Data:
    """Images of 8 x 8 between 0 and 1."""
    x, y = _digits()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    x, y = x[order], y[order]
    x = x.flatten(1) if flat else x[:, None]
    return Data(x[:1400], y[:1400], x[1400:], y[1400:], 10)


@lru_cache
def _text() -> str:
    return "".join(inspect.getsource(module) for module in (random, string, inspect))


def text(seed: int, context: int = 16, count: int = 3000) -> Data:
    """Characters of source text, each to be told from those before it."""
    source = _text()
    letters = sorted(set(source))
    code = torch.tensor([letters.index(letter) for letter in source])
    begin = torch.randint(len(code) - context - 1, (count + 200,), generator=torch.Generator().manual_seed(seed))
    rows = torch.stack([code[at : at + context + 1] for at in begin.tolist()])
    x, y = rows[:, :-1], rows[:, 1:]
    return Data(x[:count], y[:count], x[count:], y[count:], len(letters))


def curve(seed: int, features: int = 8, count: int = 2048, noise: float = 0.1) -> Data:
    """A smooth function of several variables, with some noise."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count + 512, features, generator=draw)
    y = torch.sin(x @ torch.randn(features, 4, generator=draw)).sum(1, keepdim=True)
    y = y + noise * torch.randn(y.shape, generator=draw)
    return Data(x[:count], y[:count], x[count:], y[count:], 0)
