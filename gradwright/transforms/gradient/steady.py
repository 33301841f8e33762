"""Gradients whose largest entry, or whose length, is held near what it usually is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import largest, norm, sqrt, where
from gradwright.core.transform import CONDITION, Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class ClipPeaks(Transform):
    """Stable-SPAM's clip of single entries: g ← g M̂ / max|g| where |g| > M̂. arXiv:2502.17055.

    M ← θ M + (1 − θ) max|g|;   M̂ = M / (1 − θᵗ), of the tensor

    Args:
        theta: θ, in [0, 1).
    """

    theta: float = 0.999
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"theta": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"peak": Slot(keep=())}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        most = largest(torch.abs(u))
        peak = self.theta * state["peak"] + (1 - self.theta) * most
        usual = peak / (1 - self.theta**ctx.step)
        return where(torch.abs(u) > usual, u * (usual / where(most > 0, most, 1 + 0 * most)), u), {"peak": peak}


@dataclass(frozen=True)
class SteadyNorm(Transform):
    """Stable-SPAM's norm: g ← g / ‖g‖ · â / (√b̂ + ε). arXiv:2502.17055.

    a ← γ₁ a + (1 − γ₁) ‖g‖;   b ← γ₂ b + (1 − γ₂) ‖g‖²;   both corrected for their start from zero

    Args:
        gamma1: γ₁, in [0, 1).
        gamma2: γ₂, in [0, 1).
        eps: ε.
    """

    gamma1: float = 0.7
    gamma2: float = 0.9
    eps: float = 1e-8
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"gamma1": FRACTION, "gamma2": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"mean": Slot(keep=()), "square": Slot(keep=())}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        long = norm(u)
        mean = self.gamma1 * state["mean"] + (1 - self.gamma1) * long
        square = self.gamma2 * state["square"] + (1 - self.gamma2) * (long * long)
        usual = mean / (1 - self.gamma1**ctx.step)
        size = usual / (sqrt(square / (1 - self.gamma2**ctx.step)) + self.eps)
        return where(long > 0, u * (size / long), torch.zeros_like(u)), {"mean": mean, "square": square}
