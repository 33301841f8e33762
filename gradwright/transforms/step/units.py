"""RestoreUnits: a step measured in the weights' own units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import sqrt
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class RestoreUnits(Transform):
    """AdaDelta's second half: u ← √(D + ε) u, then D ← ρ D + (1 − ρ) u², the mean square of the steps before.

    What arrives has been divided by the root of a moment and has no unit; what leaves has that of the weights. D begins
    at zero, so that the first step is √ε times what arrives: ε is no guard here, but where the steps begin.

    Args:
        rho: ρ, in [0, 1).
        eps: ε.
    """

    rho: float = 0.9
    eps: float = 1e-6
    bounds: ClassVar = {"rho": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"d": Slot(role="square")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        u = sqrt(state["d"] + self.eps) * u
        return u, {"d": self.rho * state["d"] + (1 - self.rho) * (u * u)}
