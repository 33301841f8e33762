"""Hyperball: weights that stay on a sphere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import maximum, norm, where
from gradwright.core.transform import WEIGHTS, Slots, State
from gradwright.transforms.common.matrices import matrix_dimensions


@dataclass(frozen=True)
class Hyperball(Transform):
    """Turn the weights instead of adding to them: their norm R is fixed, and the step is an angle.

    q = p − size · R u / ‖u‖;   p ← R q / ‖q‖

    Each matrix of a stack has a sphere of its own; a convolution is one matrix. Weight decay has nothing to do here and
    is left out. The radius is that of the weights at their first step, but at least ``floor`` √numel, so that a matrix
    of zeros can move; the paper has no such floor, and there it stays zero.

    Args:
        size: the tangent of the angle, for an update at a right angle to the weights.
        floor: the least root mean square of the weights.

    Raises:
        ValueError: a parameter of a single number, or a stack of such, which has nothing to turn.

    Reference: arXiv:2606.16899.
    """

    size: float
    floor: float = 1e-3
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"size": 1}
    places: ClassVar[str] = "on a sphere"

    def slots(self, spec: ParamSpec) -> Slots:
        return {"radius": Slot(keep=matrix_dimensions(spec))}

    def check(self, spec: ParamSpec) -> None:
        if self._numel(spec) == 1:
            kind = "is a single number, which" if spec.numel == 1 else "is a stack of single numbers, which"
            raise ValueError(f"Hyperball: {spec} {kind} cannot turn; give it to another recipe, such as AdamW")

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        p, each = ctx.param, matrix_dimensions(ctx.spec)
        long = norm(p, each)
        least = self.floor * math.sqrt(self._numel(ctx.spec))
        radius = maximum(long, least) if ctx.step == 1 else state["radius"]
        wide = norm(u, each)
        q = p - self.size * (radius / where(wide > 0, wide, 1 + 0 * wide)) * u
        reached = norm(q, each)
        # a factor of exactly one where nothing has moved
        return p - q * where(reached > 0, radius / reached, 1 + 0 * reached), {"radius": radius}

    def _numel(self, spec: ParamSpec) -> int:
        """The numbers on one sphere."""
        return math.prod(spec.shape[len(matrix_dimensions(spec)) :])
