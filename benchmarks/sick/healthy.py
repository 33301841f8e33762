"""Healthy runs: plain ones, and decoys that look odd and are fine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

import torch
from torch import nn

import gradwright as gw
from benchmarks.sick import data as datasets
from benchmarks.sick.faults import with_modes
from benchmarks.sick.models import ConvNet, mlp
from benchmarks.sick.setup import Setup, base

Decoy = Callable[[int, Random], Setup]

DECOYS: list[Decoy] = []


def decoy(make: Decoy) -> Decoy:
    """Enter a function into the list."""
    DECOYS.append(make)
    return make


@decoy
def cosine_to_zero(seed: int, draw: Random) -> Setup:
    s = base("digits", "torch.AdamW", seed)
    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, s.steps), validate=15)


@decoy
def warm_up_and_decay(seed: int, draw: Random) -> Setup:
    s = base("gpt", "AdamW", seed)

    def rate(t: int) -> float:
        return min(1, (t + 1) / 15) * max(0.0, 1 - t / s.steps)

    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.LambdaLR(o, rate))


@decoy
def one_cycle(seed: int, draw: Random) -> Setup:
    s = base("conv", "torch.SGD", seed)
    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.OneCycleLR(o, s.lr, total_steps=s.steps + 1))


@decoy
def full_batch(seed: int, draw: Random) -> Setup:
    s = base("mlp", "torch.SGD", seed)
    return replace(s, data=s.data.first(512), batch=512, lr=0.2)


@decoy
def batch_norm_large_rate(seed: int, draw: Random) -> Setup:
    s = with_modes(base("mlp", "torch.SGD", seed), Random(3))
    return replace(s, lr=0.3, validate=15)


@decoy
def small_batch_that_learns(seed: int, draw: Random) -> Setup:
    s = base("digits", "torch.AdamW", seed)
    return replace(s, batch=8, lr=1e-3, steps=250)


@decoy
def some_clipping(seed: int, draw: Random) -> Setup:
    return replace(base("gpt", "torch.AdamW", seed), clip=1.5)


@decoy
def mild_imbalance(seed: int, draw: Random) -> Setup:
    s = base("digits", "AdamW", seed)
    keep = torch.rand(len(s.data.y)) < 5 ** (-s.data.y / 9)
    return replace(s, data=replace(s.data, x=s.data.x[keep], y=s.data.y[keep]))


@decoy
def scaler_finds_its_scale(seed: int, draw: Random) -> Setup:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    return replace(base("mlp", "torch.AdamW", seed), scaler=scaler, scale=8.0)


@decoy
def averaged_weights_in_place(seed: int, draw: Random) -> Setup:
    s = with_modes(base("conv", "AdamW", seed), draw)
    make = lambda m: gw.ScheduleFreeAdamW(m.parameters(), lr=5e-3)  # noqa: E731
    return replace(s, make=make, validate=10, evaluates="averaged")


@decoy
def frozen_body(seed: int, draw: Random) -> Setup:
    s = base("mlp", "torch.AdamW", seed)
    for param in s.model[0].parameters():
        param.requires_grad_(False)
    return s


@decoy
def fine_tuning(seed: int, draw: Random) -> Setup:
    s = base("digits", "torch.AdamW", seed)
    optimizer = torch.optim.AdamW(s.model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        s.loss(s.model(s.data.x[:700]), s.data.y[:700]).backward()
        optimizer.step()
    s.model.zero_grad()
    return replace(s, lr=1e-4)


@decoy
def accumulated(seed: int, draw: Random) -> Setup:
    return replace(base("gpt", "AdamW", seed, steps=100), accumulate=3)


@decoy
def short_activations(seed: int, draw: Random) -> Setup:
    s = base("conv", "AdamW", seed)

    class Cast(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return self.model(x).float()

    return replace(s, model=Cast(s.model))


@decoy
def short_weights_with_large_steps(seed: int, draw: Random) -> Setup:
    s = base("mlp", "torch.AdamW", seed)
    data = replace(s.data, x=s.data.x.bfloat16())
    return replace(s, model=s.model.bfloat16(), data=data, lr=1e-2)


@decoy
def two_optimizers(seed: int, draw: Random) -> Setup:
    s = base("digits", "torch.AdamW", seed)

    def make(model: nn.Module) -> list:
        params = list(model.parameters())
        return [torch.optim.AdamW(params[:2], lr=1e-3), torch.optim.SGD(params[2:], lr=0.05, momentum=0.9)]

    return replace(s, make=make)


@decoy
def usual_decay(seed: int, draw: Random) -> Setup:
    return replace(base("gpt", "torch.AdamW", seed), options={"weight_decay": 0.1})


@decoy
def l2_of_vision(seed: int, draw: Random) -> Setup:
    return replace(base("conv", "SGD", seed), options={"weight_decay": 5e-4})


@decoy
def deep_residual(seed: int, draw: Random) -> Setup:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(24, 48), nn.Linear(48, 10)
            self.blocks = nn.ModuleList(mlp([48, 48, 48]) for _ in range(8))
            self.norm = nn.LayerNorm(48)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            for block in self.blocks:
                x = x + block(self.norm(x)) / 4
            return self.last(x)

    return replace(base("mlp", "torch.AdamW", seed), model=Residual())


@decoy
def deep_but_fine(seed: int, draw: Random) -> Setup:
    model = mlp([24, *[64] * 6, 10], nn.ReLU)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    return replace(base("mlp", "AdamW", seed), model=model, lr=1e-3)


@decoy
def memorised_little(seed: int, draw: Random) -> Setup:
    s = base("digits", "torch.AdamW", seed)
    return replace(s, steps=300, validate=15)


@decoy
def smooth_curve_validated(seed: int, draw: Random) -> Setup:
    return replace(base("curve", "AdamW", seed), validate=10, steps=250)


@decoy
def little_label_noise(seed: int, draw: Random) -> Setup:
    s = base("digits", "AdamW", seed)
    y = s.data.y.clone()
    wrong = torch.rand(len(y)) < 0.03
    y[wrong] = torch.randint(10, (int(wrong.sum()),))
    return replace(s, data=replace(s.data, y=y))


@decoy
def hard_classes(seed: int, draw: Random) -> Setup:
    return replace(base("mlp", "AdamW", seed), data=datasets.teacher(seed, classes=10, sharp=2.0), steps=250)


@decoy
def two_classes(seed: int, draw: Random) -> Setup:
    s = base("mlp", "torch.AdamW", seed)
    found = datasets.teacher(seed, classes=2)
    return replace(s, data=found, model=mlp([24, 64, 2]))


@decoy
def one_logit(seed: int, draw: Random) -> Setup:
    s = base("mlp", "torch.AdamW", seed)
    found = datasets.teacher(seed, classes=2)
    found = replace(found, y=found.y.float()[:, None], held_y=found.held_y.float()[:, None], classes=0)
    return replace(s, data=found, model=mlp([24, 64, 1]), loss=nn.functional.binary_cross_entropy_with_logits)


@decoy
def many_classes(seed: int, draw: Random) -> Setup:
    found = datasets.teacher(seed, classes=40)
    return replace(base("mlp", "AdamW", seed), data=found, model=mlp([24, 96, 40]), steps=250)


@decoy
def no_targets_told(seed: int, draw: Random) -> Setup:
    return replace(base("conv", "torch.SGD", seed), tells=False)


@decoy
def clipped_sign(seed: int, draw: Random) -> Setup:
    return replace(base("digits", "Lion", seed), clip=0.1)


@decoy
def surefoot(seed: int, draw: Random) -> Setup:
    s = base("conv", "AdamW", seed)
    return replace(s, make=lambda m: gw.Surefoot(m.parameters()), validate=15, evaluates="averaged")


@decoy
def dropout_evaluated(seed: int, draw: Random) -> Setup:
    return replace(with_modes(base("gpt", "torch.AdamW", seed), draw), validate=10)


@decoy
def sum_of_squares(seed: int, draw: Random) -> Setup:
    s = base("curve", "torch.AdamW", seed)
    return replace(s, loss=lambda o, y: (o - y).square().sum())


@decoy
def exponential_to_a_tenth(seed: int, draw: Random) -> Setup:
    s = base("conv", "torch.AdamW", seed)
    gamma = math.exp(math.log(0.05) / s.steps)
    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma))


@decoy
def wide_net(seed: int, draw: Random) -> Setup:
    return base("mlp", "Muon", seed, size=4.0)


@decoy
def small_conv(seed: int, draw: Random) -> Setup:
    return replace(base("conv", "torch.Adam", seed), model=ConvNet(6, dropout=0.2), validate=15)
