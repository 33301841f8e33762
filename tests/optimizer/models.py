"""Small models and runs that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

import gradwright
from gradwright.contract.training import noise


def model() -> torch.nn.Sequential:
    """Two layers, the same in every run."""
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    with torch.no_grad():
        for index, param in enumerate(layers.parameters()):
            param.copy_(noise(index, param.shape))
    return layers


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return noise(seed, shape or (3, 4)).requires_grad_()


def train(optimizer: gradwright.Optimizer, steps: int = 1, first: int = 0) -> None:
    """Steps on gradients that depend on the weights and on time."""
    params: Iterable[Tensor] = [param for group in optimizer.param_groups for param in group["params"]]
    for time in range(first, first + steps):
        for index, param in enumerate(params):
            param.grad = param.detach() - 1 + 0.3 * noise(100 * time + index, param.shape, param.dtype)
        optimizer.step(loss=torch.tensor(1.0 + 1 / (1 + time)))
