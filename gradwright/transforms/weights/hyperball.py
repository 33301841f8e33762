"""Hyperball: weights that stay on a sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import maximum, norm, where
from gradwright.core.transform import WEIGHTS, Slots, State


@dataclass(frozen=True)
class Hyperball(Transform):
    """Turn the weights instead of adding to them: their norm R is fixed, and the step is an angle.

    q = p − size · R u / ‖u‖;   p ← R q / ‖q‖

    Weight decay has nothing to do here and is left out. The radius is that of the weights at their first step, but at
    least ``floor`` √numel, so that a tensor of zeros can move; the paper has no such floor, and there it stays zero.

    Args:
        size: the tangent of the angle, for an update at a right angle to the weights.
        floor: the least root mean square of the weights.

    Raises:
        ValueError: a parameter of a single number, which has nothing to turn.

    Reference: arXiv:2606.16899.
    """

    size: float
    floor: float = 1e-3
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"size": 1}
    places: ClassVar[str] = "on a sphere"

    def slots(self, spec: ParamSpec) -> Slots:
        return {"radius": Slot(keep=())}

    def check(self, spec: ParamSpec) -> None:
        if spec.numel == 1:
            raise ValueError(
                f"Hyperball: {spec} is a single number, which cannot turn; give it to another recipe, such as AdamW"
            )

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        p = ctx.param
        long = norm(p)
        least = self.floor * math.sqrt(ctx.spec.numel)
        radius = maximum(long, least) if ctx.step == 1 else state["radius"]
        wide = norm(u)
        q = p - self.size * (radius / where(wide > 0, wide, 1 + 0 * wide)) * u
        reached = norm(q)
        # a factor of exactly one where nothing has moved
        return p - q * where(reached > 0, radius / reached, 1 + 0 * reached), {"radius": radius}
