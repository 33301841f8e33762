"""Faults of the loop: what is cleared, held, reached by a gradient, and in which mode."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import torch
from torch import Tensor, nn

import gradwright as gw
from benchmarks.sick.faults.fault import (
    fault,
)
from benchmarks.sick.models import ConvNet, mlp
from benchmarks.sick.setup import Setup


@fault("NOT_CLEARED", optimizers=("torch.AdamW", "torch.SGD", "AdamW", "Lion"))
def not_cleared(s: Setup, draw: Random) -> Setup:
    return replace(s, clears=False)


@fault("NOT_HELD", optimizers=("torch.AdamW",))
def part_not_held(s: Setup, draw: Random) -> Setup:
    kind = draw.choice([torch.optim.AdamW, gw.AdamW, torch.optim.SGD])
    first = draw.random() < 0.5

    def make(model: nn.Module) -> torch.optim.Optimizer:
        params = list(model.parameters())
        cut = max(1, len(params) // 3)
        return kind(params[:-cut] if first else params[cut:], lr=3e-3)

    return replace(s, make=make)


@fault("NO_GRADIENT", ("mlp", "digits", "curve"))
def detached(s: Setup, draw: Random) -> Setup:
    return replace(s, model=Detached(s.model, draw.randint(1, 2)))


@fault("NO_GRADIENT")
def unused(s: Setup, draw: Random) -> Setup:
    s.model.register_parameter("extra", nn.Parameter(torch.randn(16, draw.randint(4, 16))))
    return s


@fault("STALE_PARAMETERS", ("mlp", "digits", "conv", "curve"), ("torch.AdamW", "torch.SGD", "AdamW"))
def head_replaced(s: Setup, draw: Random) -> Setup:
    def before(model: nn.Module, optimizers: list) -> None:
        if isinstance(model, ConvNet):
            model.head = nn.Linear(model.head.in_features, 10)
        else:
            last = len(model) - 1
            model[last] = nn.Linear(model[last].in_features, model[last].out_features)

    return replace(s, before=before)


@fault("EVAL_IN_TRAIN_MODE", ("mlp", "digits", "conv", "gpt"))
def evaluated_in_train_mode(s: Setup, draw: Random) -> Setup:
    return replace(with_modes(s, draw), validate=10, evaluates="train")


@fault("WEIGHTS_NOT_IN_PLACE", ("mlp", "digits", "conv", "gpt"), ("AdamW",))
def schedule_free_not_in_place(s: Setup, draw: Random) -> Setup:
    return replace(s, make=lambda m: gw.ScheduleFreeAdamW(m.parameters(), lr=5e-3), validate=10)


class Detached(nn.Module):
    """Cut from its first layers."""

    def __init__(self, layers: nn.Module, at: int) -> None:
        super().__init__()
        self.layers, self.at = layers, at

    def forward(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index == 2 * self.at - 1:
                x = x.detach()
        return x


def with_modes(s: Setup, draw: Random) -> Setup:
    """With layers that differ by mode."""
    if isinstance(s.model, ConvNet):
        return replace(s, model=ConvNet(norm=True))
    if isinstance(s.model, nn.Sequential):
        read = s.data.x.shape[1]
        norm = draw.random() < 0.5
        return replace(s, model=mlp([read, 64, 64, 10], nn.ReLU, dropout=0.0 if norm else 0.3, norm=norm))
    for block in s.model.blocks:
        block.drop = nn.Dropout(0.2)
    return s
