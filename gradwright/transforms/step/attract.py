"""Attract: a step towards, or away from, where the weights have been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.transform import STEP, Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class Attract(Transform):
    """FOCUS's pull to an average of the weights, of one size in every entry.

    a ← a + (1 − β) / (1 − βᵗ) (p − a);   u ← u + γ sign(p − a) + λ a

    a is the corrected average of the weights, those before this step included, so that a₁ = p and the first step has
    no pull. Decay pulls the average and not the weights, as in the authors' code.

    Args:
        beta: β, in [0, 1).
        gamma: γ ≥ 0.
        weight_decay: λ ≥ 0.
    """

    beta: float = 0.999
    gamma: float = 0.1
    weight_decay: float = 0.0
    stage: ClassVar[int] = STEP
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"average": Slot(start="param")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        p, old = ctx.param, state["average"]
        average = old + (1 - self.beta) / (1 - self.beta**ctx.step) * (p - old)
        return u + self.gamma * torch.sign(p - average) + self.weight_decay * average, {"average": average}
