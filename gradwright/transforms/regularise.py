"""Regularisers: what pulls the weights back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, Transform
from gradwright.core.ops import where
from gradwright.core.transform import CONDITION, STEP, State
from gradwright.transforms.size import RelativeStep


@dataclass(frozen=True)
class L2(Transform):
    """The gradient of a penalty, g ← g + λ p: it enters moments and momentum. For decay that does not, ``Decay``."""

    weight_decay: float
    stage: ClassVar[int] = CONDITION

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u + self.weight_decay * ctx.param, state


@dataclass(frozen=True)
class Decay(Transform):
    """Decoupled weight decay, u ← u + λ p.

    Before ``Scale(lr)`` it is p (1 − lr λ), as ``torch.optim.AdamW`` has it; after ``Scale(lr)`` it does not depend on
    lr. Both are taken from the weights before the step.

    Args:
        weight_decay: λ.
        only: a selector of the parameters that decay.
    """

    weight_decay: float
    only: str = "*"
    stage: ClassVar[int] = STEP

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return (u + self.weight_decay * ctx.param if ctx.spec.matches(self.only) else u), state


@dataclass(frozen=True)
class RelativeDecay(Transform):
    """Adafactor's decay, by the same factor as its step: u ← u + λ αₜ p, with αₜ that of ``step``."""

    weight_decay: float
    step: RelativeStep
    stage: ClassVar[int] = STEP

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u + self.weight_decay * self.step.factor(ctx) * ctx.param, state


@dataclass(frozen=True)
class ShrinkOnNan(Transform):
    """Where a tensor's gradient holds a NaN, replace its step by a pull of ``1 − shrink`` towards a harmless value.

    p ← (p − c) · shrink + c, with c = 1 for the gains of norm layers and 0 for all else.
    """

    shrink: float = 0.99
    stage: ClassVar[int] = STEP
    bounds: ClassVar = {"shrink": (0.0, 1.0 + 1e-12)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        home = 1.0 if "gain" in ctx.spec.roles else 0.0
        pull = (1 - self.shrink) * (ctx.param - home)
        return where(torch.isnan(ctx.grad).any(), pull, u), state
