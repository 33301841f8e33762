"""ConditionalAverage: a momentum over the root of what its square is expected to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import maximum
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class ConditionalAverage(Transform):
    """BCOS: divide a momentum by the root of its second moment, which one buffer is enough to estimate.

    v = (3 β² − 2 β³) m² + (1 − β)² u² + 2 β (1 − β)² m u,   with m before its update, m₀ = u₁
    m ← β m + (1 − β) u;   u ← m / (√v + ε)

    Args:
        beta: β, in [0, 1).
        eps: ε.
    """

    beta: float = 0.9
    eps: float = 1e-6
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot()}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        old, beta, rest = u if ctx.step == 1 else state["m"], self.beta, 1 - self.beta
        m = beta * old + rest * u
        v = (3 - 2 * beta) * beta * beta * (old * old) + rest * rest * (u * u) + 2 * beta * rest * rest * (old * u)
        # positive but for rounding: the form has no zero but where m and u are
        return m / (torch.sqrt(maximum(v, 0.0)) + self.eps), {"m": m}
