"""Proximal weight decay: the penalty is minimised at the new weights instead of followed from the old ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, Transform
from gradwright.core.transform import STEP, State


@dataclass(frozen=True)
class ProximalDecay(Transform):
    """Shrink the weights after the step, p ← (p − u) / (1 + λ): it can never carry a weight across zero.

    It comes after ``Scale(lr)``; pass λ = lr · weight_decay. As an update it is u ← (u + λ p) / (1 + λ).
    """

    weight_decay: float
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"weight_decay": 1}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return (u + self.weight_decay * ctx.param) / (1 + self.weight_decay), state
