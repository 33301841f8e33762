"""What a fault is, the list of all, and what several of them do to a setup."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import nn

from benchmarks.sick.setup import Setup

ALL = ("mlp", "digits", "conv", "gpt", "vae", "curve")
CLASSES = ("mlp", "digits", "conv")
ADAPTIVE = ("torch.AdamW", "AdamW", "torch.Adam")


@dataclass(frozen=True)
class Fault:
    """How a healthy run is made sick.

    Attributes:
        cause: name of the member of ``Cause``.
        change: makes a sick setup of a healthy one; draws its strength.
        kinds, optimizers: the bases it is put into.
        mild: whether it is mild.
    """

    cause: str
    change: Callable[[Setup, Random], Setup]
    kinds: tuple[str, ...]
    optimizers: tuple[str, ...]
    mild: bool = False


FAULTS: list[Fault] = []


def fault(
    cause: str,
    kinds: tuple[str, ...] = ALL,
    optimizers: tuple[str, ...] = ("torch.AdamW", "torch.SGD", "AdamW", "Lion"),
    mild: bool = False,
    into: list[Fault] = FAULTS,
) -> Callable:
    """Enter a function into a list of faults."""

    def enter(change: Callable[[Setup, Random], Setup]) -> Callable[[Setup, Random], Setup]:
        into.append(Fault(cause, change, kinds, optimizers, mild))
        return change

    return enter


def between(draw: Random, low: float, high: float) -> float:
    """Log-uniform."""
    return math.exp(draw.uniform(math.log(low), math.log(high)))


def scaled_weights(model: nn.Module, factor: float, skip_last: bool = False) -> nn.Module:
    """All matrices times a factor."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        for layer in layers[:-1] if skip_last else layers:
            layer.weight.mul_(factor)
            layer.bias.zero_()
    return model


def with_inputs(s: Setup, factor: float, shift: float) -> Setup:
    """Inputs on another scale."""
    data = replace(s.data, x=s.data.x * factor + shift, held_x=s.data.held_x * factor + shift)
    return replace(s, data=data)


def in_short_type(s: Setup, dtype: torch.dtype) -> Setup:
    """Weights and inputs of a short type."""
    y = s.data.y if s.data.classes else s.data.y.to(dtype)
    data = replace(s.data, x=s.data.x.to(dtype), y=y)
    return replace(s, model=s.model.to(dtype), data=data)
