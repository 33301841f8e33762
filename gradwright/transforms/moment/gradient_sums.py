"""DivideBySums: KATE's AdaGrad, whose root is in the numerator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import sqrt, where
from gradwright.core.transform import Slots, State


@dataclass(frozen=True)
class DivideBySums(Transform):
    """b ← b + g²;   m ← m + η g² + g² / (b + ε);   u ← √m u / (b + ε), 0 where g has always been zero.

    Where all gradients are c times as large and η is 0 the step is 1 / c times as large: it undoes that the loss is
    flatter in one feature than in another. arXiv:2403.02648.

    Args:
        eta: η ≥ 0. Where it is not 0 steps fall as those of AdaGrad, and else faster.
        eps: ε ≥ 0.
    """

    eta: float = 0.9
    eps: float = 1e-8

    def slots(self, spec: ParamSpec) -> Slots:
        wide = spec.computing_dtype  # a half type would soon swallow what is added
        return {"b": Slot(dtype=wide), "m": Slot(dtype=wide)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        square = ctx.grad * ctx.grad
        b = state["b"] + square
        still, divisor = torch.zeros_like(u), b + self.eps
        m = state["m"] + self.eta * square + where(square > 0, square / divisor, still)
        return where(b > 0, sqrt(m) * u / divisor, still), {"b": b, "m": m}
