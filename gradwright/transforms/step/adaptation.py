"""Learning rates found from the distance to the solution: D-Adaptation, and what Prodigy shares with it.

Both bound the distance D = ‖x₀ − x*‖ from below by a d that never falls, and step in proportion to it. d is one number
for all parameters. It is learned while the direction is made, so each method is one part.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, Nest, ParamSpec, Part, Slot, Total, Transform
from gradwright.core.ops import maximum, minimum, sqrt, total, where
from gradwright.core.transform import STEP, WEIGHTS, Slots, State, UpdateCoroutine
from gradwright.transforms.common.bounds import FRACTION
from gradwright.transforms.step.distance import ORIGIN

UNLIMITED = sys.float_info.max
"""A factor of growth that limits nothing."""

POSITIVE = (1e-300, float("inf"))
SHARED = Slot(keep=(), shared=True)


def wide(spec: ParamSpec) -> Slot:
    """Full size and never a half type: d times a gradient, 1e-6 times smaller than it, would vanish there."""
    return Slot(dtype=spec.computing_dtype)


@dataclass(frozen=True)
class DistanceStep(Part):
    """The step λ = size · d, times √(1 − β₂ᵗ) / (1 − β₁ᵗ) with ``debias``: a field, not a transform.

    Args:
        size: a multiplier, 1 unless a schedule changes it.
        beta1: β₁ of the direction, in [0, 1).
        beta2: β₂ of the direction, in [0, 1).
        debias: undo the start of both averages from zero.
    """

    size: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    debias: bool = False
    bounds: ClassVar = {"beta1": FRACTION, "beta2": FRACTION}
    rates: ClassVar = {"size": 1}

    def times(self, d: Any, ctx: Context) -> Any:
        step = self.size * d
        if self.debias:
            step = step * (sqrt(1 - self.beta2**ctx.step) / (1 - self.beta1**ctx.step))
        return step


@dataclass(frozen=True)
class DistancePull(Nest):
    """A pull on the weights by the same factor as the step of ``Prodigy`` or ``DAdaptAdam``: u ← u + λ pull(x).

    Their direction comes at its full length λ, so that no later ``Scale`` multiplies what is added to it: decoupled
    weight decay is ``DistancePull(Decay(w), ...)``.

    Args:
        pull: what it makes of an update of zero is the pull.
        step: that of the part before.
        of: whose d: ``"prodigy"`` or ``"dadapt_adam"``.
    """

    pull: Transform
    step: DistanceStep
    of: str
    stage: ClassVar[int] = STEP

    def slots(self, spec: ParamSpec) -> Slots:
        return {**super().slots(spec), f"{self.of}_d_used": SHARED}

    def check_order(self, before: Sequence[Transform]) -> None:
        super().check_order(before)
        if all(f"{self.of}_d_used" not in link.slots(ParamSpec((1,))) for link in before):
            raise ValueError(
                f"DistancePull: of={self.of!r} names the part that finds the distance, and none of that name stands "
                "before it; put Prodigy or DAdaptAdam there"
            )

    def update(self, u: Any, state: State, ctx: Context) -> UpdateCoroutine:
        pull, state, ctx = yield from self.run("pull", torch.zeros_like(u), state, ctx)
        return u + self.step.times(state[f"{self.of}_d_used"], ctx) * pull, state, ctx


@dataclass(frozen=True)
class DAdaptAdam(Transform):
    """The direction of Adam by D-Adaptation, at its full length λ. arXiv:2301.07733, in the form of its authors' code.

    λ = step · d,   q = √β₂
    r ← q r + (1 − q) λ ⟨g, s / (√v + ε)⟩,   s ← q s + (1 − q) λ g,   d̂ = r / ((1 − q) ‖s‖₁)
    m ← β₁ m + (1 − β₁) λ g,   v ← β₂ v + (1 − β₂) g²
    d⁺ = max(d, min(d̂, γ d));   u ← m / (√v + ε)

    Inner product and norm are sums over all parameters; the product is taken with s and v of the step before.

    Args:
        step: λ / d, with β₁ and β₂.
        eps: ε, at least 0.
        d0: d₀, greater than 0.
        growth: γ, at least 1.
    """

    step: DistanceStep
    eps: float = 1e-8
    d0: float = 1e-6
    growth: float = UNLIMITED
    bounds: ClassVar = {"d0": POSITIVE}

    def slots(self, spec: ParamSpec) -> Slots:
        shared = dict.fromkeys(("dadapt_adam_d", "dadapt_adam_d_used", "dadapt_adam_r"), SHARED)
        return {"m": Slot(role="moment"), "v": Slot(role="square"), "s": wide(spec), **shared}

    def paced(self, pull: Transform) -> Transform:
        return DistancePull(pull, self.step, "dadapt_adam")

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        beta1, beta2 = self.step.beta1, self.step.beta2
        q = sqrt(beta2)
        d = maximum(state["dadapt_adam_d"], self.d0)
        step = self.step.times(d, ctx)
        before = sqrt(state["v"]) + self.eps
        along = where(before > 0, state["s"] / before, torch.zeros_like(before))
        s = q * state["s"] + (1 - q) * (step * u)
        ahead, length = yield Total("dadapt_adam", step * total(u * along), total(torch.abs(s)))
        r = q * state["dadapt_adam_r"] + (1 - q) * ahead
        d_hat = where(length > 0, r / ((1 - q) * length), 0.0)
        d_new = maximum(d, minimum(d_hat, d * self.growth))
        m = beta1 * state["m"] + (1 - beta1) * (step * u)
        v = beta2 * state["v"] + (1 - beta2) * (u * u)
        used = where(length > 0, d, 0.0)
        shared = {"dadapt_adam_d": d_new, "dadapt_adam_d_used": used, "dadapt_adam_r": r}
        return m / (sqrt(v) + self.eps), {"m": m, "v": v, "s": s, **shared}


@dataclass(frozen=True)
class DAdaptSGD(Transform):
    """Dual averaging by D-Adaptation, with an average for momentum. arXiv:2301.07733, Algorithm 4.

    λ = size · d / ‖g₁‖,   r ← r + λ ⟨g, s⟩,   s ← s + λ g,   d̂ = 2 r / ‖s‖,   d⁺ = max(d, min(d̂, γ d))
    z = x₀ − s,   x ← μ x + (1 − μ) z

    Norms and inner product are over all parameters; g₁ is the first gradient that is not zero everywhere.

    Args:
        size: a multiplier, 1 unless a schedule changes it.
        momentum: μ, in [0, 1).
        d0: d₀, greater than 0.
        growth: γ, at least 1.
    """

    size: float = 1.0
    momentum: float = 0.9
    d0: float = 1e-6
    growth: float = UNLIMITED
    stage: ClassVar[int] = WEIGHTS
    rates: ClassVar = {"size": 1}
    places: ClassVar[str] = "between where they were and its own iterate"
    bounds: ClassVar = {"momentum": FRACTION, "d0": POSITIVE}

    def slots(self, spec: ParamSpec) -> Slots:
        shared = dict.fromkeys(("dadapt_sgd_d", "dadapt_sgd_norm", "dadapt_sgd_r"), SHARED)
        return {"s": wide(spec), "x0": ORIGIN, **shared}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        d = maximum(state["dadapt_sgd_d"], self.d0)
        squares, ahead = yield Total("dadapt_sgd_gradient", total(u * u), self.size * total(u * state["s"]))
        norm = where(state["dadapt_sgd_norm"] > 0, state["dadapt_sgd_norm"], sqrt(squares))
        rate = where(norm > 0, d / norm, 0.0)
        r = state["dadapt_sgd_r"] + rate * ahead
        s = state["s"] + self.size * rate * u
        length2 = yield Total("dadapt_sgd_moved", total(s * s))
        d_hat = where(length2 > 0, 2 * r / sqrt(length2), 0.0)
        d_new = maximum(d, minimum(d_hat, d * self.growth))
        target = state["x0"] - s
        shared = {"dadapt_sgd_d": d_new, "dadapt_sgd_norm": norm, "dadapt_sgd_r": r}
        return (1 - self.momentum) * (ctx.param - target), {"s": s, **shared}
