"""GrowthLimit: an update may be longer than the one before it, but only a little."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import maximum, norm, where
from gradwright.core.transform import Slots, State


@dataclass(frozen=True)
class GrowthLimit(Transform):
    """u ← u / max(1, ‖u‖ / (γ ℓ)), with ℓ the length that the last update of the tensor had after this.

    It takes the place of a warm-up and of gradient clipping in Fira, APOLLO and RACS. The first update that is not zero
    passes, and nothing is added to ℓ; the authors' codes add 1e-8, by which they multiply an update after a zero.

    Args:
        growth: γ, at least 1.
    """

    growth: float = 1.01
    bounds: ClassVar = {"growth": (1.0, math.inf)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"length": Slot(keep=())}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        last, long = state["length"], norm(u)
        ratio = long / where(last > 0, last, 1 + 0 * last)
        over = where(last > 0, maximum(ratio, self.growth) / self.growth, torch.ones_like(long))
        # a tensor without a gradient says nothing of the length that one with a gradient has
        return u / over, {"length": where(long > 0, long / over, last)}
