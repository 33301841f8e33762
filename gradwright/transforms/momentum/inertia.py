"""AdaptiveInertia: a momentum that is long where gradients are small beside those of the whole model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Total, Transform
from gradwright.core.ops import exp, log, maximum, minimum, total, where
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class AdaptiveInertia(Transform):
    """Adai's momentum, whose decay rate every entry has for itself. arXiv:2006.15815.

    v ← β₂ v + (1 − β₂) u²;   v̂ = v / (1 − β₂ᵗ);   r = (v̂ / mean(v̂))^(1 / (3 − 2 d))
    β₁ = min(max(1 − β₀ r, 0), 1 − ε);   m ← β₁ m + (1 − β₁)^d u;   Π ← Π β₁;   u ← β₀^(1 − d) m / (1 − Π)

    The mean is that of all entries of all parameters that have a gradient. Where all of them have always been zero, β₁
    is 1 − ε; the authors' code divides zero by zero there.

    Args:
        beta0: β₀, how fast the memory shrinks with v̂.
        beta2: β₂, in [0, 1).
        eps: ε, in (0, 1): the least share of the newest gradient.
        dampening: d, in [0, 1]; 1 is Adai, less is AdaiV2.
    """

    beta0: float = 0.1
    beta2: float = 0.99
    eps: float = 1e-3
    dampening: float = 1.0
    bounds: ClassVar = {"beta2": FRACTION, "eps": (1e-12, 1.0), "dampening": (0.0, 1.0 + 1e-12)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment"), "v": Slot(role="square"), "product": Slot(start=1.0)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        v = self.beta2 * state["v"] + (1 - self.beta2) * (u * u)
        now = v / (1 - self.beta2**ctx.step)
        squares, count = yield Total("adaptive_inertia", total(now), total(torch.ones_like(u)))
        mean = squares / count
        ratio = where(mean > 0, now / mean, torch.zeros_like(u))
        power = exp(log(ratio) * (1 / (3 - 2 * self.dampening)))
        beta1 = minimum(maximum(1 - self.beta0 * power, 0.0), 1 - self.eps)
        m = beta1 * state["m"] + exp(self.dampening * log(1 - beta1)) * u
        product = state["product"] * beta1
        return self.beta0 ** (1 - self.dampening) * m / (1 - product), {"m": m, "v": v, "product": product}
