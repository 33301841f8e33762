"""Faults of the data: its scale, its labels, its order, how much of it there is."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import torch
from torch import nn

from benchmarks.sick import data as datasets
from benchmarks.sick.faults.fault import (
    CLASSES,
    between,
    fault,
    with_inputs,
)
from benchmarks.sick.models import mlp
from benchmarks.sick.setup import Setup, sorted_batches


@fault("INPUTS_NOT_SCALED", ("mlp", "digits", "conv", "curve"))
def large_inputs(s: Setup, draw: Random) -> Setup:
    return with_inputs(s, between(draw, 60, 500), 0.0)


@fault("INPUTS_NOT_SCALED", ("mlp", "digits", "conv", "curve"), mild=True)
def shifted_inputs(s: Setup, draw: Random) -> Setup:
    return with_inputs(s, draw.uniform(1, 3), between(draw, 8, 30))


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
