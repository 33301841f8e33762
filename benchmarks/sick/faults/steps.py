"""Faults of the steps: learning rate, schedule, eps, rounding, decay, clipping."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import torch

from benchmarks.sick.faults.fault import (
    ADAPTIVE,
    ALL,
    CLASSES,
    between,
    fault,
    in_short_type,
)
from benchmarks.sick.setup import RATES, Setup


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
