"""Steps measured by how far the weights have come: the DoG family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Total, Transform
from gradwright.core.ops import maximum, sqrt, total
from gradwright.core.transform import STEP, Slots, State

ORIGIN = Slot(start="param", fixed=True)
"""The weights before their first step."""


@dataclass(frozen=True)
class DistanceOverGradients(Transform):
    """DoG's size: the largest distance from the start so far, over the root of the sum of all squared gradients.

    r̄ ← max(r̄, ‖x − x₀‖, reps (1 + ‖x₀‖)),   G ← G + ‖u‖²,   u ← size · r̄ / √(G + ε) · u

    Norms are taken over all parameters together, or tensor by tensor with ``layerwise`` (LDoG). arXiv:2302.12022.

    Args:
        size: a multiplier, 1 in the paper.
        reps: the first distance, relative to 1 + ‖x₀‖.
        eps: ε, at least 0.
        layerwise: one step size for each tensor instead of one for all.
    """

    size: float = 1.0
    reps: float = 1e-6
    eps: float = 1e-8
    layerwise: bool = False
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"size": 1}

    def _keys(self) -> tuple[str, str]:
        return ("distance", "gradients") if self.layerwise else ("dog_distance", "dog_gradients")

    def slots(self, spec: ParamSpec) -> Slots:
        return {"x0": ORIGIN, **{key: Slot(keep=(), shared=not self.layerwise) for key in self._keys()}}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        distance, gradients = self._keys()
        x0 = state["x0"]
        gone = ctx.param - x0
        squares, far, start = total(u * u), total(gone * gone), total(x0 * x0)
        if not self.layerwise:
            squares, far, start = yield Total("dog", squares, far, start)
        r = maximum(maximum(state[distance], self.reps * (1 + sqrt(start))), sqrt(far))
        g = state[gradients] + squares
        return self.size * r / sqrt(g + self.eps) * u, {distance: r, gradients: g}


@dataclass(frozen=True)
class WeightedDistance(Transform):
    """DoWG's size, in which gradients count by the distance at which they were met.

    r² ← max(r², ‖x − x₀‖², d₀²),   V ← V + r² ‖u‖²,   u ← size · r² / (√V + ε) · u

    Norms are taken over all parameters together. arXiv:2305.16284.

    Args:
        size: a multiplier, 1 in the paper.
        d0: the first distance.
        eps: ε, at least 0.
    """

    size: float = 1.0
    d0: float = 1e-2
    eps: float = 1e-4
    stage: ClassVar[int] = STEP
    rates: ClassVar = {"size": 1}

    def slots(self, spec: ParamSpec) -> Slots:
        return {
            "x0": ORIGIN,
            "dowg_distance2": Slot(keep=(), shared=True),
            "dowg_gradients": Slot(keep=(), shared=True),
        }

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        gone = ctx.param - state["x0"]
        squares, far = yield Total("dowg", total(u * u), total(gone * gone))
        r2 = maximum(maximum(state["dowg_distance2"], self.d0 * self.d0), far)
        v = state["dowg_gradients"] + r2 * squares
        return self.size * r2 / (sqrt(v) + self.eps) * u, {"dowg_distance2": r2, "dowg_gradients": v}
