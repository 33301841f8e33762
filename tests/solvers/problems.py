"""Problems in closed form, written in torch, with their minima."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

F64 = torch.float64

SMOOTH = ("auto", "newton-cg", "trust-ncg", "bfgs", "l-bfgs", "l-bfgs-b", "nonlinear-cg")
"""The methods for smooth problems without constraints."""


class Known(NamedTuple):
    """A function, where to start, and its lowest value."""

    fun: Callable[[Tensor], Tensor]
    x0: Tensor
    least: float


def rosenbrock(x: Tensor) -> Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def beale(x: Tensor) -> Tensor:
    powers = torch.stack([x[1], x[1] ** 2, x[1] ** 3])
    return ((torch.tensor([1.5, 2.25, 2.625]).to(x) - x[0] * (1 - powers)) ** 2).sum()


def wood(x: Tensor) -> Tensor:
    a, b, c, d = x
    return (
        100 * (b - a**2) ** 2
        + (1 - a) ** 2
        + 90 * (d - c**2) ** 2
        + (1 - c) ** 2
        + 10 * (b + d - 2) ** 2
        + 0.1 * (b - d) ** 2
    )


def powell(x: Tensor) -> Tensor:
    a, b, c, d = x
    return (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4


def ill_conditioned(x: Tensor) -> Tensor:
    weights = torch.logspace(0, 6, x.numel()).to(x)
    return 0.5 * (weights * (x - 1) ** 2).sum()


def log_barrier(x: Tensor) -> Tensor:
    cost = torch.arange(1.0, x.numel() + 1).to(x)
    return (cost * x).sum() - torch.log(x).sum()


class Logistic:
    """Ridge-regularised logistic regression on fixed random data."""

    def __init__(self, rows: int = 60, columns: int = 8) -> None:
        generator = torch.Generator().manual_seed(0)
        self.data = torch.randn(rows, columns, generator=generator, dtype=F64)
        self.labels = (self.data @ torch.linspace(-1, 1, columns, dtype=F64) > 0).to(F64) * 2 - 1

    def __call__(self, w: Tensor) -> Tensor:
        margins = self.labels.to(w) * (self.data.to(w) @ w)
        return torch.nn.functional.softplus(-margins).mean() + 1e-2 * (w * w).sum()


def tensor(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=F64)


KNOWN = {
    "rosenbrock": Known(rosenbrock, tensor(-1.2, 1.0), 0.0),
    "beale": Known(beale, tensor(1.0, 1.0), 0.0),
    "wood": Known(wood, tensor(-3.0, -1.0, -3.0, -1.0), 0.0),
    "powell": Known(powell, tensor(3.0, -1.0, 0.0, 1.0), 0.0),
    "ill-conditioned": Known(ill_conditioned, torch.zeros(6, dtype=F64), 0.0),
    "log-barrier": Known(log_barrier, tensor(5.0, 5.0, 5.0), 3.0 + float(torch.log(tensor(1.0, 2.0, 3.0)).sum())),
}
