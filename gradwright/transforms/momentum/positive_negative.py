"""PositiveNegative: momentum from the difference of two averages, whose noise can be set without changing the mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import sqrt
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class PositiveNegative(Transform):
    """Two averages, each of every other gradient: the newer one counts more than once, the older one less than not.

    mₜ = β² mₜ₋₂ + (1 − β²) u;   u ← ((1 + β₀) mₜ − β₀ mₜ₋₁) / √((1 + β₀)² + β₀²)

    Both start at zero, so that the second step points against its gradient where that is less than half the first.
    arXiv:2103.17182.

    Args:
        beta: β, in [0, 1).
        negative: β₀, the weight of the older average, at least 0; 1 in the paper.
    """

    beta: float
    negative: float = 1.0
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment"), "older": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        # the two change places at every step, so nothing depends on odd and even
        keep = self.beta * self.beta
        m = keep * state["older"] + (1 - keep) * u
        positive = 1 + self.negative
        length = sqrt(positive * positive + self.negative * self.negative)
        return (positive * m - self.negative * state["m"]) / length, {"m": m, "older": state["m"]}
