"""Dual averaging: weights that are computed anew from a sum of all gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.number import as_float
from gradwright.core.ops import exp, log, maximum, sqrt, where
from gradwright.core.transform import WEIGHTS, Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class DualAverage(Transform):
    """MADGRAD's step, from the weights x₀ before the first one.

    λₜ = r √t,   r = size + ε;   v ← v + λₜ u²;   s ← s + λₜ u
    z = x₀ − s / (v^⅓ + ε);   p ← μ p + (1 − μ) z − r κ p

    With ``size=0`` r is 0.

    Args:
        size: the learning rate.
        momentum: μ, in [0, 1).
        eps: ε.
        decay: κ, decoupled.
    """

    size: float
    momentum: float = 0.9
    eps: float = 1e-6
    decay: float = 0.0
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"size": 1}
    bounds: ClassVar = {"momentum": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        wide = spec.computing_dtype  # a half type would soon swallow what is added
        return {"v": Slot(dtype=wide), "s": Slot(dtype=wide), "origin": Slot(start="param", fixed=True)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        rate = self.size + self.eps if self.size > 0 else 0.0
        weight = rate * sqrt(ctx.step)
        v, s = state["v"] + weight * (u * u), state["s"] + weight * u
        away = where(s == 0, torch.zeros_like(s), s / (exp(log(v) / 3) + self.eps))
        z = state["origin"] - away
        p = ctx.param
        return (1 - self.momentum) * (p - z) + rate * self.decay * p, {"v": v, "s": s, "origin": state["origin"]}


@dataclass(frozen=True)
class MirrorAverage(Transform):
    """Mirror MADGRAD's step: dual averaging from where z has come to, rather than from the first weights.

    v ← √((t − 1) / t) v + u²;   z ← (1 − r κ) z − r t^⅓ u / (v^⅓ + ε), r = size + ε;   p ← μ p + (1 − μ) z

    z begins as the weights. With ``size=0`` r is 0.

    Args:
        size: the learning rate.
        momentum: μ, in [0, 1).
        eps: ε.
        decay: κ, decoupled.
    """

    size: float
    momentum: float = 0.9
    eps: float = 0.0
    decay: float = 0.0
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"size": 1}
    bounds: ClassVar = {"momentum": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"v": Slot(dtype=spec.computing_dtype), "z": Slot(start="param", dtype=spec.computing_dtype)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        rate, t = (self.size + self.eps if self.size > 0 else 0.0), ctx.step
        v = sqrt((t - 1) / t) * state["v"] + u * u
        away = where(u == 0, torch.zeros_like(u), u / (exp(log(v) / 3) + self.eps))
        z = (1 - rate * self.decay) * state["z"] - rate * t ** (1 / 3) * away
        return (1 - self.momentum) * (ctx.param - z), {"v": v, "z": z}


@dataclass(frozen=True)
class FollowRegularizedLeader(Transform):
    """FTRL-Proximal: the weights that are best for all gradients so far, seen as straight lines, and a penalty.

    n' = n + u²;   z ← z + α u − (√n' − √n) p;   n ← n'
    p ← 0 where |z| ≤ α l₁, otherwise (sign(z) α l₁ − z) / (β + √n + α l₂)

    z is α times the paper's, so that each gradient keeps the weight of the learning rate that it came with. It begins
    where the first weights are the solution, z₀ = −(β + √n₀ + α l₂) p − α l₁ sign(p); the paper's begin at zero.

    Args:
        size: α, the learning rate.
        beta: β, at least 0.
        l1: l₁, at least 0: how hard weights are pulled to exactly zero.
        l2: l₂, at least 0.
        start: n₀, at least 0. It is read when the state is made, so that it is no knob.
    """

    size: float
    beta: float = 1.0
    l1: float = 0.0
    l2: float = 0.0
    start: Any = 0.0
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"size": 1}

    def __post_init__(self) -> None:
        super().__post_init__()
        start = as_float("FollowRegularizedLeader: start", self.start)
        if start < 0:
            raise ValueError(f"FollowRegularizedLeader: start={start:g} must be at least 0")
        object.__setattr__(self, "start", start)

    def slots(self, spec: ParamSpec) -> Slots:
        return {"z": Slot(dtype=spec.computing_dtype), "n": Slot(start=self.start, dtype=spec.computing_dtype)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        p, n, cut = ctx.param, state["n"], self.size * self.l1
        root, penalty = torch.sqrt(n), self.beta + self.size * self.l2
        z = -(penalty + root) * p - cut * torch.sign(p) if ctx.step == 1 else state["z"]
        n = n + u * u
        new_root = torch.sqrt(n)
        z = z + self.size * u - (new_root - root) * p
        beyond, divisor = maximum(abs(z) - cut, 0.0), penalty + new_root
        best = where(divisor > 0, -torch.sign(z) * beyond / divisor, p)
        # without a learning rate they are the solution as they stand, to which rounding would add
        return (p - best if self.size > 0 else torch.zeros_like(p)), {"z": z, "n": n}
