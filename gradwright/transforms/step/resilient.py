"""ResilientStep: every entry has a step of its own, which grows while its gradient keeps its sign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import maximum, minimum, where
from gradwright.core.transform import STEP, Slots, State


@dataclass(frozen=True)
class ResilientStep(Transform):
    """Rprop: u ← sign(u) δ, with a step δ for each entry that learns from the signs alone.

    s = sign(u · u before)
    δ ← clip(δ · (grow where s > 0, shrink where s < 0), least, most);   u ← 0 where s < 0

    An entry whose gradient turned around rests for a step, and is then taken as if it began.

    Args:
        start: the first δ.
        shrink: the factor after a change of sign, in [0, 1].
        grow: the factor where the sign stays, at least 1.
        least, most: bounds of δ, of the first one too.
    """

    start: float
    shrink: float = 0.5
    grow: float = 1.2
    least: float = 1e-6
    most: float = 50.0
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"start": 1}
    bounds: ClassVar = {"shrink": (0.0, 1.0 + 1e-12), "grow": (1.0, math.inf)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"size": Slot(), "before": Slot()}  # exact: few bits would lose the signs of small entries

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        sign = torch.sign(u) * torch.sign(state["before"])  # a product of small numbers would underflow
        turned, zero = sign < 0, torch.zeros_like(u)
        size = self.start + zero if ctx.step == 1 else state["size"]
        factor = where(sign > 0, self.grow + zero, where(turned, self.shrink + zero, 1 + zero))
        size = minimum(maximum(size * factor, self.least), self.most)
        u = where(turned, zero, u)
        return torch.sign(u) * size, {"size": size, "before": u}
