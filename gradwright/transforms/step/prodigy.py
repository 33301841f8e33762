"""Prodigy: Adam in proportion to an estimate of the distance to the solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Total, Transform
from gradwright.core.number import WHOLE
from gradwright.core.ops import maximum, minimum, sqrt, total, where
from gradwright.core.transform import Slots, State
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.step.adaptation import POSITIVE, SHARED, UNLIMITED, DistancePull, DistanceStep, wide
from gradwright.transforms.step.distance import ORIGIN


@dataclass(frozen=True)
class Prodigy(Transform):
    """Prodigy's direction, at its full length λ. arXiv:2306.06101, Algorithm 4.

    λ = step · d
    r ← β₃ r + (d / d₀) λ ⟨g, x₀ − x⟩,   s ← β₃ s + (d / d₀) λ g,   d̂ = c r / ‖s‖₁
    m ← β₁ m + (1 − β₁) d g,   v ← β₂ v + (1 − β₂) d² g²
    d⁺ = the largest d̂ so far, but at most γ d;   u ← λ m / (√v + d⁺ ε)

    Inner product and norm are sums over all parameters. While all gradients are zero nothing moves.

    Args:
        step: λ / d, with β₁ and β₂.
        beta3: β₃, in [0, 1); √β₂ in the paper.
        eps: ε, at least 0.
        d0: d₀, greater than 0.
        coefficient: c, greater than 0.
        growth: γ, at least 1; d may leave d₀ in one jump nevertheless.
        safeguard: let s gather d g instead of λ g, so that a warm-up of ``step.size`` does not inflate d̂.
        every: keep s and x₀ of every ``every``-th entry only, and estimate d from those.
    """

    step: DistanceStep
    beta3: float
    eps: float = 1e-8
    d0: float = 1e-6
    coefficient: float = 1.0
    growth: float = UNLIMITED
    safeguard: bool = False
    every: int = 1
    bounds: ClassVar = {"beta3": FRACTION, "d0": POSITIVE, "every": (1, WHOLE)}

    def slots(self, spec: ParamSpec) -> Slots:
        full = wide(spec)
        if self.every == 1:
            sampled = {"s": full, "x0": ORIGIN}
        else:
            shape = (-(-spec.numel // self.every),)
            sampled = {
                "s": Slot(shape=shape, dtype=spec.computing_dtype),
                "x0": Slot(shape=shape, dtype=spec.dtype, fixed=True),
            }
        shared = dict.fromkeys(("prodigy_d", "prodigy_d_max", "prodigy_d_used", "prodigy_r"), SHARED)
        return {"m": Slot(role="moment"), "v": Slot(role="square"), **sampled, **shared}

    def paced(self, pull: Transform) -> Transform:
        return DistancePull(pull, self.step, "prodigy")

    def _sampled(self, x: Any) -> Any:
        return x if self.every == 1 else x.flatten()[:: self.every]

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        beta1, beta2 = self.step.beta1, self.step.beta2
        d = maximum(state["prodigy_d"], self.d0)
        step, gain = self.step.times(d, ctx), d / self.d0
        seen, at = self._sampled(u), self._sampled(ctx.param)
        x0 = at if ctx.step == 1 else state["x0"]
        s = self.beta3 * state["s"] + gain * (d if self.safeguard else step) * seen
        ahead, length = yield Total("prodigy", gain * step * total(seen * (x0 - at)), total(torch.abs(s)))
        r = self.beta3 * state["prodigy_r"] + ahead
        d_hat = where(length > 0, self.coefficient * r / length, 0.0)
        d_max = maximum(maximum(state["prodigy_d_max"], d), d_hat)
        start = where(d == self.d0, maximum(d, d_hat), d)
        d_new = maximum(d, minimum(d_max, start * self.growth))
        scaled = d * u
        m = beta1 * state["m"] + (1 - beta1) * scaled
        v = beta2 * state["v"] + (1 - beta2) * (scaled * scaled)
        used = where(length > 0, d, 0.0)
        shared = {"prodigy_d": d_new, "prodigy_d_max": d_max, "prodigy_d_used": used, "prodigy_r": r}
        return step * m / (sqrt(v) + d_new * self.eps), {"m": m, "v": v, "s": s, "x0": x0, **shared}
