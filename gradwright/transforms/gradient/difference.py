"""Parts that compare a gradient with the one before it. They keep its values, never the gradient tensor itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import maximum, norm
from gradwright.core.transform import CONDITION, Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.moment.denominator import Denominator
from gradwright.transforms.moment.moments import Moment


@dataclass(frozen=True)
class Friction(Transform):
    """diffGrad's friction: entries whose gradient hardly changes move half as far. arXiv:1909.11015.

    u ← u / (1 + exp(−|gₜ₋₁ − gₜ|)),   g₀ = 0;   a factor from ½ to 1.
    """

    def slots(self, spec: ParamSpec) -> Slots:
        return {"previous": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        change = abs(state["previous"] - ctx.grad)
        return u * torch.sigmoid(change), {"previous": ctx.grad}


@dataclass(frozen=True)
class ReduceVariance(Transform):
    """MARS's correction of the gradient by its last change, cut to a norm of 1. arXiv:2411.10438.

    c = g + γ β / (1 − β) · (g − gₜ₋₁);   u ← c / max(1, ‖c‖), the norm that of the tensor.

    Args:
        gamma: γ, how strongly to correct.
        beta: β of the average that follows, in [0, 1).
        from_zero: take g₀ as 0, as the authors' code does, so that the first gradient is corrected by itself;
            otherwise c₁ = g₁.
    """

    gamma: float
    beta: float
    from_zero: bool = True
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"beta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"previous": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        previous = u if ctx.step == 1 and not self.from_zero else state["previous"]
        corrected = u + self.gamma * self.beta / (1 - self.beta) * (u - previous)
        return corrected / maximum(norm(corrected), 1.0), {"previous": u}


@dataclass(frozen=True)
class DifferenceMomentum(Transform):
    """Adan's direction: averages of the gradient and of its differences, over the moment of the gradient looked ahead.

    Δ = gₜ − gₜ₋₁,   Δ₁ = 0;   m ← β₁ m + (1 − β₁) g;   d ← β₂ d + (1 − β₂) Δ
    u ← (m / (1 − β₁ᵗ) + β₂ d / (1 − β₂ᵗ)) / √E[(g + β₂ Δ)²]

    Args:
        beta: β₁, in [0, 1).
        difference: β₂, in [0, 1).
        moment: how E[(g + β₂ Δ)²] is estimated.
        denominator: how to divide by it.
    """

    beta: float
    difference: float
    moment: Moment
    denominator: Denominator
    bounds: ClassVar = {"beta": FRACTION, "difference": FRACTION}
    leaves_moment: ClassVar[bool] = True

    def slots(self, spec: ParamSpec) -> Slots:
        own = dict.fromkeys(("m", "d", "previous"), Slot(role="moment"))
        return {**own, **self.moment.slots(spec)}

    def check(self, spec: ParamSpec) -> None:
        self.moment.check(spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        delta = u - (u if ctx.step == 1 else state["previous"])
        m = self.beta * state["m"] + (1 - self.beta) * u
        d = self.difference * state["d"] + (1 - self.difference) * delta
        ahead = ctx._replace(grad=u + self.difference * delta)
        estimate, kept = self.moment.estimate(u, state, ahead)
        direction = m / (1 - self.beta**ctx.step) + self.difference * d / (1 - self.difference**ctx.step)
        changed = {**kept, "m": m, "d": d, "previous": u}
        return self.denominator.divide(direction, estimate), changed, ctx._replace(moment=estimate.square)
