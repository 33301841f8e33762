"""FractionalMemory: Adam on a fractional difference of the gradient's history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.moment.denominator import Denominator
from gradwright.transforms.moment.moments import Moment


@dataclass(frozen=True)
class FractionalMemory(Transform):
    """AdaGL's direction: Adam's, of the Grünwald-Letnikov difference of order α, eased where gradients are steady.

    w₀ = 1,   wⱼ = wⱼ₋₁ (j − 1 − α) / j,   D = Σⱼ wⱼ gₜ₋ⱼ for j = 0 ... K, gradients before the first being 0
    m ← β m + (1 − β) D;   u ← (1.1 − ½ / (1 + |gₜ₋₁ − gₜ|)) · m / (1 − βᵗ) / √E[D²]

    α = 0 is Adam's direction and α = 1 the plain difference. The weights sum to (1 − α)(2 − α) ⋯ (K − α) / K!, which is
    negative for α between 1 and 2: a gradient that stays the same is then climbed, once the history is full.

    Args:
        beta: β, in [0, 1).
        moment: how E[D²] is estimated.
        denominator: how to divide by it.
        alpha: α, in [0, 2).
        history: K, how many past gradients are kept, 1 to 1000; each is a full-size slot.
    """

    beta: float
    moment: Moment
    denominator: Denominator
    alpha: float = 0.5
    history: int = 10
    bounds: ClassVar = {"beta": FRACTION, "alpha": (0.0, 2.0), "history": (1, 1001)}
    leaves_moment: ClassVar[bool] = True

    def slots(self, spec: ParamSpec) -> Slots:
        own = dict.fromkeys(("m", *self._past()), Slot(role="moment"))
        return {**own, **self.moment.slots(spec)}

    def check(self, spec: ParamSpec) -> None:
        self.moment.check(spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        past = [state[name] for name in self._past()]
        difference, weight = u, 1.0
        for j, g in enumerate(past, start=1):
            weight = weight * (j - 1 - self.alpha) / j
            difference = difference + weight * g
        m = self.beta * state["m"] + (1 - self.beta) * difference
        estimate, kept = self.moment.estimate(difference, state, ctx._replace(grad=difference))
        ease = 1.1 - 0.5 / (1 + abs(past[0] - u))
        direction = self.denominator.divide(ease * m / (1 - self.beta**ctx.step), estimate)
        shifted = dict(zip(self._past(), [u, *past[:-1]]))
        return direction, {**kept, "m": m, **shifted}, ctx._replace(moment=estimate.square)

    def _past(self) -> list[str]:
        return [f"past{j}" for j in range(1, self.history + 1)]
