"""Faults by cause: each changes a healthy setup, by a random strength. These set the thresholds of the diagnosis."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor, nn

import gradwright as gw
from benchmarks.sick import data as datasets
from benchmarks.sick.data import Data
from benchmarks.sick.models import ConvNet, mlp
from benchmarks.sick.setup import RATES, Setup, sorted_batches

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


@fault("LR_TOO_HIGH", optimizers=("torch.AdamW", "AdamW", "Muon"))
def lr_far_too_high(s: Setup, draw: Random) -> Setup:
    return replace(s, lr=s.lr * between(draw, 200, 2000))


@fault("LR_TOO_HIGH", ("mlp", "digits", "conv", "curve"), ("torch.SGD", "SGD"))
def sgd_lr_far_too_high(s: Setup, draw: Random) -> Setup:
    return replace(s, lr=s.lr * between(draw, 60, 1000))


@fault("LR_TOO_HIGH", optimizers=("torch.AdamW", "AdamW"), mild=True)
def lr_too_high(s: Setup, draw: Random) -> Setup:
    return replace(s, lr=s.lr * between(draw, 60, 200))


@fault("LR_TOO_LOW")
def lr_far_too_low(s: Setup, draw: Random) -> Setup:
    return replace(s, lr=s.lr * between(draw, 1e-5, 1e-3))


@fault("LR_TOO_LOW", mild=True)
def lr_too_low(s: Setup, draw: Random) -> Setup:
    return replace(s, lr=s.lr * between(draw, 1e-3, 1e-2))


@fault("SCHEDULE")
def decays_by_batch(s: Setup, draw: Random) -> Setup:
    gamma = draw.uniform(0.5, 0.9)
    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma))


@fault("SCHEDULE")
def steps_by_batch(s: Setup, draw: Random) -> Setup:
    size = draw.randint(2, 8)
    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.StepLR(o, size, 0.1))


@fault("SCHEDULE", mild=True)
def cosine_by_batch(s: Setup, draw: Random) -> Setup:
    period = draw.randint(5, 15)
    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, period))


@fault("SCHEDULE", mild=True)
def zero_after(s: Setup, draw: Random) -> Setup:
    last = int(s.steps * draw.uniform(0.1, 0.4))
    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: max(0.0, 1 - t / last)))


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


@fault("EPS_RULES", optimizers=ADAPTIVE)
def tiny_loss(s: Setup, draw: Random) -> Setup:
    return replace(s, scale=between(draw, 1e-12, 1e-8))


@fault("EPS_RULES", optimizers=ADAPTIVE, mild=True)
def large_eps(s: Setup, draw: Random) -> Setup:
    return replace(s, options={**s.options, "eps": between(draw, 1, 100)})


@fault("LOST_TO_ROUNDING", ("mlp", "digits", "curve"), ("torch.AdamW", "AdamW", "Lion"))
def short_weights(s: Setup, draw: Random) -> Setup:
    return in_short_type(replace(s, lr=RATES["Lion"] * between(draw, 0.02, 0.1)), torch.bfloat16)


@fault("LOST_TO_ROUNDING", ("mlp", "digits", "conv"), ("torch.SGD", "AdamW"), mild=True)
def short_weights_sgd(s: Setup, draw: Random) -> Setup:
    return in_short_type(replace(s, lr=s.lr * (0.1 if s.optimizer == "AdamW" else 0.04)), torch.bfloat16)


@fault("SCALER_SKIPS", optimizers=("torch.AdamW", "torch.SGD", "AdamW"))
def scale_never_fits(s: Setup, draw: Random) -> Setup:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0 ** draw.randint(122, 127), backoff_factor=0.9999)
    return replace(s, scaler=scaler, scale=2.0**20)


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


@fault("DECAY_RULES", optimizers=("torch.AdamW", "AdamW", "Lion"))
def huge_decay(s: Setup, draw: Random) -> Setup:
    return replace(s, options={**s.options, "weight_decay": between(draw, 0.3, 0.9) / s.lr})


@fault("DECAY_RULES", CLASSES, ("torch.SGD", "SGD", "torch.Adam"))
def huge_l2(s: Setup, draw: Random) -> Setup:
    return replace(s, options={**s.options, "weight_decay": between(draw, 0.7, 3.0)})


@fault("DECAY_RULES", CLASSES, ("torch.AdamW", "AdamW"), mild=True)
def strong_decay(s: Setup, draw: Random) -> Setup:
    return replace(s, options={**s.options, "weight_decay": between(draw, 0.1, 0.3) / s.lr})


@fault("CLIP_ALWAYS", ALL, ("torch.SGD", "SGD", "torch.AdamW", "AdamW"))
def tight_clip(s: Setup, draw: Random) -> Setup:
    return replace(s, clip=between(draw, 1e-4, 1e-2))


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


@fault("INPUTS_NOT_SCALED", ("mlp", "digits", "conv", "curve"))
def large_inputs(s: Setup, draw: Random) -> Setup:
    return with_inputs(s, between(draw, 60, 500), 0.0)


@fault("INPUTS_NOT_SCALED", ("mlp", "digits", "conv", "curve"), mild=True)
def shifted_inputs(s: Setup, draw: Random) -> Setup:
    return with_inputs(s, draw.uniform(1, 3), between(draw, 8, 30))


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


@fault("LABEL_NOISE", CLASSES)
def random_labels(s: Setup, draw: Random) -> Setup:
    share = draw.uniform(0.4, 0.55)
    y = s.data.y.clone()
    wrong = torch.rand(len(y)) < share
    y[wrong] = torch.randint(s.data.classes, (int(wrong.sum()),))
    return replace(s, data=replace(s.data, y=y), steps=300)


@fault("LABEL_NOISE", CLASSES, mild=True)
def some_random_labels(s: Setup, draw: Random) -> Setup:
    share = draw.uniform(0.25, 0.4)
    y = s.data.y.clone()
    wrong = torch.rand(len(y)) < share
    y[wrong] = torch.randint(s.data.classes, (int(wrong.sum()),))
    return replace(s, data=replace(s.data, y=y), steps=300)


@fault("LONG_TAIL", CLASSES)
def long_tail(s: Setup, draw: Random) -> Setup:
    ratio = between(draw, 50, 300)
    keep = torch.rand(len(s.data.y)) < ratio ** (-s.data.y / (s.data.classes - 1))
    return replace(s, data=replace(s.data, x=s.data.x[keep], y=s.data.y[keep]))


@fault("BATCH_TOO_SMALL", ("mlp", "conv", "curve"), ("torch.SGD", "SGD", "AdamW"))
def tiny_batch(s: Setup, draw: Random) -> Setup:
    if s.data.classes and s.data.x.dim() == 2:
        s = replace(s, data=datasets.teacher(draw.randint(1, 999), sharp=2.0))
    return replace(s, batch=draw.choice([1, 2]), lr=s.lr * draw.uniform(0.5, 2), steps=250)


@fault("NOT_SHUFFLED", ("mlp", "digits", "conv", "curve"))
def in_order(s: Setup, draw: Random) -> Setup:
    return replace(s, order=lambda: sorted_batches(s.data.y, s.batch), steps=max(s.steps, len(s.data.x) // s.batch))


@fault("OVERFITTING", ("mlp",), ("torch.AdamW", "AdamW"))
def few_samples(s: Setup, draw: Random) -> Setup:
    model = mlp([24, 256, 256, 10])
    return replace(s, model=model, data=s.data.first(draw.randint(60, 200)), steps=300, validate=15)


@fault("OVERFITTING", ("curve",), ("torch.AdamW", "AdamW"), mild=True)
def few_noisy_samples(s: Setup, draw: Random) -> Setup:
    data = datasets.curve(draw.randint(1, 999), noise=1.0).first(draw.randint(60, 120))
    return replace(s, model=mlp([8, 256, 256, 1], nn.SiLU), data=data, steps=400, validate=20)


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


def fewer(data: Data, keep: Tensor) -> Data:
    """Some of the samples."""
    return replace(data, x=data.x[keep], y=data.y[keep])
