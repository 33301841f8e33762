"""BoundedRate: an adaptive rate that is squeezed until it is one for all entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Transform
from gradwright.core.ops import maximum, minimum, sqrt
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.moment.moments import Moment


@dataclass(frozen=True)
class BoundedRate(Transform):
    """AdaBound's rate for each entry of a momentum that arrives uncorrected.

    u ← clip(√(1 − β₂ᵗ) / (1 − β₁ᵗ) / (√v + ε), r (1 − 1 / (γ t + 1)), r (1 + 1 / (γ t))) u

    Args:
        moment: gives v and its correction 1 − β₂ᵗ.
        beta: β₁, whose correction is inside the clip.
        eps: ε.
        ratio: r, to which both bounds go; in units of the learning rate.
        gamma: γ, how fast they do, in (0, 1).
    """

    moment: Moment
    beta: float
    eps: float = 1e-8
    ratio: float = 100.0
    gamma: float = 1e-3
    leaves_moment: ClassVar[bool] = True
    bounds: ClassVar = {"beta": FRACTION, "gamma": (1e-12, 1.0)}

    def slots(self, spec: ParamSpec) -> Slots:
        return self.moment.slots(spec)

    def check(self, spec: ParamSpec) -> None:
        self.moment.check(spec)

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        estimate, state = self.moment.estimate(u, state, ctx)
        rate = sqrt(estimate.correction) / (1 - self.beta**ctx.step) / (estimate.raw_root + self.eps)
        least = self.ratio * (1 - 1 / (self.gamma * ctx.step + 1))
        most = self.ratio * (1 + 1 / (self.gamma * ctx.step))
        return minimum(maximum(rate, least), most) * u, state, ctx._replace(moment=estimate.square)
