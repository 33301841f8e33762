"""Faults of the network: its depth, its units, where it begins, what is not finite."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import torch
from torch import Tensor, nn

from benchmarks.sick.faults.fault import (
    CLASSES,
    between,
    fault,
    scaled_weights,
)
from benchmarks.sick.models import mlp
from benchmarks.sick.setup import Setup


@fault("VANISHING_GRADIENTS", ("mlp", "digits"))
def deep_sigmoid(s: Setup, draw: Random) -> Setup:
    read = s.data.x.shape[1]
    return replace(s, model=mlp([read, *[48] * draw.randint(8, 14), 10], nn.Sigmoid))


@fault("VANISHING_GRADIENTS", ("mlp", "digits", "curve"))
def small_init(s: Setup, draw: Random) -> Setup:
    read, made = s.data.x.shape[1], s.data.classes or 1
    model = mlp([read, *[48] * draw.randint(7, 12), made], draw.choice([nn.Tanh, nn.ReLU]))
    return replace(s, model=scaled_weights(model, draw.uniform(0.25, 0.45), skip_last=True))


@fault("EXPLODING_GRADIENTS", ("mlp", "digits", "curve"))
def large_init(s: Setup, draw: Random) -> Setup:
    read, made = s.data.x.shape[1], s.data.classes or 1
    model = mlp([read, *[48] * draw.randint(6, 10), made], nn.ReLU)
    return replace(s, model=scaled_weights(model, draw.uniform(6.0, 10.0)), lr=s.lr * 0.1)


@fault("DEAD_UNITS", ("mlp", "digits", "conv", "vae"))
def dead_from_the_start(s: Setup, draw: Random) -> Setup:
    if isinstance(s.model, nn.Sequential):
        s = replace(s, model=mlp([s.data.x.shape[1], 64, 64, 10], nn.ReLU))
    low = draw.uniform(4, 15)
    layers = [module for module in s.model.modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    with torch.no_grad():
        for layer in layers[:-1] if isinstance(s.model, nn.Sequential) else layers[:1]:
            layer.bias.fill_(-low)
    return s


@fault("DEAD_UNITS", ("mlp", "digits"), mild=True)
def one_layer_dead(s: Setup, draw: Random) -> Setup:
    model = mlp([s.data.x.shape[1], 64, 64, 64, 10], nn.ReLU)
    alive = draw.randint(2, 6)
    with torch.no_grad():
        list(model)[2].bias[alive:] = -draw.uniform(5, 15)
    return replace(s, model=model)


@fault("SATURATED_UNITS", ("mlp", "digits", "vae"))
def saturated(s: Setup, draw: Random) -> Setup:
    act = draw.choice([nn.Tanh, nn.Sigmoid])
    if isinstance(s.model, nn.Sequential):
        s = replace(s, model=mlp([s.data.x.shape[1], 64, 64, 10], act))
    else:
        s = replace(s, model=type(s.model)(act=act))
    factor = between(draw, 15, 60) * (3 if act is nn.Sigmoid else 1)
    with torch.no_grad():
        for layer in [m for m in s.model.modules() if isinstance(m, nn.Linear)][:1]:
            layer.weight.mul_(factor)
    return s


@fault("NON_FINITE", ("mlp", "digits", "conv"))
def log_of_zero(s: Setup, draw: Random) -> Setup:
    at, loss = draw.randint(5, 60), s.loss
    count = [0]

    def broken(outputs: Tensor, y: Tensor) -> Tensor:
        count[0] += 1
        spread = (outputs - outputs).sum()
        return loss(outputs, y) + (spread.abs().sqrt() if count[0] >= at else 0.0)

    return replace(s, loss=broken)


@fault("NON_FINITE", ("mlp", "digits", "vae", "curve"))
def nan_in_inputs(s: Setup, draw: Random) -> Setup:
    at = draw.randint(3, 80)

    def change(x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor]:
        x = x.clone()
        if step >= at:
            x[0, 0] = math.nan
        return x, y

    return replace(s, change=change)


@fault("WRONG_INITIAL_LOSS", ("mlp", "digits", "conv", "gpt"))
def large_head(s: Setup, draw: Random) -> Setup:
    head = s.model.head if hasattr(s.model, "head") else s.model[-1]
    with torch.no_grad():
        spread = s.model(s.data.x[:64]).std()
        head.weight.mul_(between(draw, 10, 40) / spread)
    return s


@fault("WRONG_INITIAL_LOSS", CLASSES, mild=True)
def biased_head(s: Setup, draw: Random) -> Setup:
    head = s.model.head if hasattr(s.model, "head") else s.model[-1]
    with torch.no_grad():
        head.bias.add_(torch.randn(head.bias.shape) * between(draw, 8, 20))
    return s
