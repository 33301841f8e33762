"""Faults that set no threshold: other forms of the same causes."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import torch
from torch import Tensor, nn

import gradwright as gw
from benchmarks.sick import data as datasets
from benchmarks.sick.faults import (
    ADAPTIVE,
    ALL,
    CLASSES,
    Fault,
    between,
    fault,
    in_short_type,
    scaled_weights,
    with_inputs,
)
from benchmarks.sick.models import GPT, ConvNet, mlp
from benchmarks.sick.setup import RATES, Setup, shuffled

HELD_OUT_FAULTS: list[Fault] = []


def held_out(
    cause: str,
    kinds: tuple[str, ...] = ALL,
    optimizers: tuple[str, ...] = ("torch.AdamW", "torch.SGD", "AdamW"),
    mild: bool = False,
):
    """Enter a function into the list of this file."""
    return fault(cause, kinds, optimizers, mild, HELD_OUT_FAULTS)


@held_out("LR_TOO_HIGH", ("digits", "conv", "gpt"), ("torch.Adam", "Lion"))
def lr_of_one(s: Setup, draw: Random) -> Setup:
    return replace(s, lr=draw.uniform(0.5, 3.0))


@held_out("LR_TOO_LOW", ALL, ("torch.Adam", "Muon", "SGD"))
def lr_for_another_unit(s: Setup, draw: Random) -> Setup:
    return replace(s, lr=s.lr * 10 ** -draw.uniform(2.5, 4.5), steps=200)


@held_out("SCHEDULE")
def one_cycle_of_too_few_steps(s: Setup, draw: Random) -> Setup:
    total = int(s.steps * draw.uniform(0.15, 0.35))

    def rate(t: int) -> float:
        return 0.0 if t >= total else min(1.0, 3 * t / total + 0.1) * (1 - t / total)

    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.LambdaLR(o, rate))


@held_out("SCHEDULE", mild=True)
def warm_up_never_ends(s: Setup, draw: Random) -> Setup:
    length = s.steps * draw.randint(20, 80)
    return replace(s, schedule=lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: min(1.0, (t + 1) / length)))


@held_out("VANISHING_GRADIENTS", ("mlp", "digits"))
def deep_tanh_of_small_weights(s: Setup, draw: Random) -> Setup:
    model = mlp([s.data.x.shape[1], *[32] * draw.randint(8, 16), 10], nn.Tanh)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=between(draw, 0.03, 0.06))
    return replace(s, model=model)


@held_out("EXPLODING_GRADIENTS", ("digits", "conv", "gpt"))
def normal_weights_of_unit_size(s: Setup, draw: Random) -> Setup:
    if isinstance(s.model, (ConvNet, GPT)):
        blocks = [m for m in s.model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        with torch.no_grad():
            for module in blocks:
                module.weight.mul_(between(draw, 25, 50))
        return replace(s, lr=s.lr * 0.1)
    return replace(s, model=scaled_weights(mlp([64, *[64] * 5, 10], nn.SiLU), draw.uniform(9, 14)), lr=s.lr * 0.1)


@held_out("DEAD_UNITS", CLASSES, ("torch.AdamW", "AdamW"))
def shifted_before_relu(s: Setup, draw: Random) -> Setup:
    class Shifted(nn.Module):
        def __init__(self, read: int, shift: float) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(read, 64), nn.Linear(64, 64), nn.Linear(64, 10)
            self.shift = shift

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.first(x.flatten(1)) - self.shift)
            return self.head(torch.relu(self.second(x)))

    return replace(s, model=Shifted(s.data.x[0].numel(), draw.uniform(5, 12)))


@held_out("SATURATED_UNITS", CLASSES)
def functional_tanh(s: Setup, draw: Random) -> Setup:
    class Tanh(nn.Module):
        def __init__(self, read: int, gain: float) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(read, 64), nn.Linear(64, 64), nn.Linear(64, 10)
            self.gain = gain

        def forward(self, x: Tensor) -> Tensor:
            x = torch.tanh(self.gain * self.first(x.flatten(1)))
            return self.head(torch.tanh(self.gain * self.second(x)))

    return replace(s, model=Tanh(s.data.x[0].numel(), between(draw, 20, 80)))


@held_out("EPS_RULES", ALL, ADAPTIVE)
def mean_over_everything(s: Setup, draw: Random) -> Setup:
    eps = between(draw, 1e-3, 1e-1)
    return replace(s, scale=between(draw, 1e-8, 1e-6), options={**s.options, "eps": eps})


@held_out("LOST_TO_ROUNDING", ("mlp", "digits", "conv"), ("torch.Adam", "AdamW", "Lion"))
def half_weights_late_rate(s: Setup, draw: Random) -> Setup:
    return in_short_type(replace(s, lr=RATES["Lion"] * between(draw, 0.01, 0.05)), torch.bfloat16)


@held_out("NOT_HELD", ("conv", "gpt", "vae"))
def only_matrices_held(s: Setup, draw: Random) -> Setup:
    return replace(s, make=lambda m: gw.AdamW([p for p in m.parameters() if p.dim() >= 2][1:], lr=3e-3))


@held_out("NO_GRADIENT", ("conv", "gpt"))
def features_without_gradient(s: Setup, draw: Random) -> Setup:
    inner = s.model.second if isinstance(s.model, ConvNet) else s.model.blocks[0]
    forward = inner.forward

    def cut(x: Tensor) -> Tensor:
        with torch.no_grad():
            return forward(x)

    inner.forward = cut
    return s


@held_out("DECAY_RULES", ALL, ("torch.AdamW", "AdamW", "Lion"))
def decay_in_place_of_rate(s: Setup, draw: Random) -> Setup:
    return replace(s, lr=s.lr * 0.3, options={**s.options, "weight_decay": between(draw, 1.5, 3.0) / s.lr})


@held_out("CLIP_ALWAYS", ("mlp", "conv", "gpt", "vae"))
def clip_of_a_thousandth(s: Setup, draw: Random) -> Setup:
    return replace(s, clip=1e-3 * between(draw, 0.1, 20), steps=100)


@held_out("NON_FINITE", ("mlp", "digits", "conv", "gpt"))
def division_by_a_spread_of_nothing(s: Setup, draw: Random) -> Setup:
    at, loss, seen = draw.randint(2, 70), s.loss, [0]

    def broken(outputs: Tensor, y: Tensor) -> Tensor:
        seen[0] += 1
        value = loss(outputs, y)
        return value / (value - value) if seen[0] == at else value

    return replace(s, loss=broken)


@held_out("INPUTS_NOT_SCALED", ("mlp", "digits", "conv"))
def some_features_huge(s: Setup, draw: Random) -> Setup:
    if s.data.x.dim() > 2:
        return with_inputs(s, 255.0, 0.0)
    factor = torch.ones(s.data.x.shape[1])
    factor[: draw.randint(2, 6)] = between(draw, 300, 3000)
    data = replace(s.data, x=s.data.x * factor + (1.0 if s.data.x.min() >= 0 else 0.0))
    return replace(s, data=data)


@held_out("WRONG_INITIAL_LOSS", ("mlp", "digits", "gpt"))
def temperature_of_a_hundredth(s: Setup, draw: Random) -> Setup:
    class Sharp(nn.Module):
        def __init__(self, model: nn.Module, factor: float) -> None:
            super().__init__()
            self.model, self.factor = model, factor

        def forward(self, x: Tensor) -> Tensor:
            return self.factor * self.model(x)

    return replace(s, model=Sharp(s.model, between(draw, 50, 150)), lr=s.lr * 0.05)


@held_out("LABEL_NOISE", CLASSES, ("torch.AdamW", "AdamW"))
def labels_permuted_for_some(s: Setup, draw: Random) -> Setup:
    y = s.data.y.clone()
    some = torch.randperm(len(y))[: int(len(y) * draw.uniform(0.35, 0.5))]
    y[some] = y[some[torch.randperm(len(some))]]
    return replace(s, data=replace(s.data, y=y), steps=300)


@held_out("LONG_TAIL", ("digits", "conv", "mlp"))
def one_class_for_all(s: Setup, draw: Random) -> Setup:
    share = between(draw, 0.01, 0.03)
    keep = (s.data.y == 0) | (torch.rand(len(s.data.y)) < share)
    x, y = s.data.x[keep], s.data.y[keep]
    return replace(s, data=replace(s.data, x=x, y=y), batch=min(s.batch, len(y)), steps=200)


@held_out("BATCH_TOO_SMALL", ("mlp", "digits"), ("torch.SGD", "torch.AdamW"))
def one_sample(s: Setup, draw: Random) -> Setup:
    if s.data.x.shape[1] == 24:
        s = replace(s, data=datasets.teacher(draw.randint(1, 999), sharp=2.0))
    return replace(s, batch=1, steps=300, lr=s.lr * (0.5 if s.optimizer.endswith("SGD") else 1.0))


@held_out("NOT_SHUFFLED", ("digits", "conv", "mlp"))
def shards_of_classes(s: Setup, draw: Random) -> Setup:
    size = s.batch * 2
    order = s.data.y.argsort()
    shards = list(order.split(size))
    draw.shuffle(shards)
    index = torch.cat(shards)

    def batches():
        while True:
            yield from index[: len(index) // s.batch * s.batch].split(s.batch)

    return replace(s, order=batches)


@held_out("OVERFITTING", ("digits", "mlp"), ("torch.AdamW", "AdamW"))
def noise_memorised(s: Setup, draw: Random) -> Setup:
    data = s.data.first(150)
    y = data.y.clone()
    wrong = torch.rand(len(y)) < 0.2
    y[wrong] = torch.randint(10, (int(wrong.sum()),))
    model = mlp([data.x.shape[1], 256, 256, 10])
    return replace(s, model=model, data=replace(data, y=y), steps=300, validate=15)


@held_out("EVAL_IN_TRAIN_MODE", ("vae", "conv", "curve"))
def dropout_left_on(s: Setup, draw: Random) -> Setup:
    if isinstance(s.model, ConvNet):
        return replace(s, model=ConvNet(dropout=0.4), validate=20, evaluates="train")
    model = s.model if not isinstance(s.model, nn.Sequential) else mlp([8, 64, 64, 1], dropout=0.2)
    if model is s.model:
        model.decoder.insert(2, nn.Dropout(0.2))
    return replace(s, model=model, validate=20, evaluates="train")


@held_out("WEIGHTS_NOT_IN_PLACE", ("digits", "curve"), ("SGD",))
def averaged_sgd(s: Setup, draw: Random) -> Setup:
    return replace(s, make=lambda m: gw.ScheduleFreeSGD(m.parameters(), lr=0.5), validate=12)


@held_out("STALE_PARAMETERS", ("mlp", "digits"))
def model_copied(s: Setup, draw: Random) -> Setup:
    def before(model: nn.Module, optimizers: list) -> None:
        for at, module in enumerate(model):
            if isinstance(module, nn.Linear) and at:
                model[at] = nn.Linear(module.in_features, module.out_features)

    return replace(s, before=before)


@held_out("NOT_CLEARED", ("mlp", "conv", "vae"), ("torch.Adam", "SGD"))
def never_cleared_full_batch(s: Setup, draw: Random) -> Setup:
    return replace(s, clears=False, batch=256, order=lambda: shuffled(len(s.data.x), 256, draw.randint(0, 9)))


@held_out("SCALER_SKIPS", ("mlp", "conv"))
def scale_is_never_updated(s: Setup, draw: Random) -> Setup:
    return replace(
        s, scaler=torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=1 - 1e-6), scale=math.e**10
    )
