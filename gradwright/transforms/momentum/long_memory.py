"""Parts that remember the past for longer than momentum does: slow averages, of gradients and of their norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gradwright.core import Context, ParamSpec, Slot, Transform
from gradwright.core.ops import exp, log, maximum, minimum, norm, where
from gradwright.core.transform import CONDITION, Slots, State
from gradwright.transforms.common.bounds import FRACTION


@dataclass(frozen=True)
class AmplifySlow(Transform):
    """Grokfast: add a multiple of the gradient's slow average to it. arXiv:2405.20233.

    μ₁ = g₁,   μ ← α μ + (1 − α) g;   u ← g + λ μ.

    Args:
        alpha: α, in [0, 1); 0.98 in the paper.
        factor: λ; 2 in the paper.
    """

    alpha: float = 0.98
    factor: float = 2.0
    stage: ClassVar[int] = CONDITION
    bounds: ClassVar = {"alpha": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"slow": Slot(role="moment")}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        slow = u if ctx.step == 1 else self.alpha * state["slow"] + (1 - self.alpha) * u
        return u + self.factor * slow, {"slow": slow}


@dataclass(frozen=True)
class FastAndSlow(Transform):
    """AdEMAMix's momentum: a fast average, corrected, and a multiple of a slow one, not corrected. arXiv:2409.03137.

    m ← β₁ m + (1 − β₁) g;   s ← β₃ₜ s + (1 − β₃ₜ) g;   u ← m / (1 − β₁ᵗ) + αₜ s

    αₜ = α min(1, t / alpha_warmup). With ``beta3_warmup`` = T, β₃ₜ rises from β₁ so that its half-life grows linearly:
    ln β₃ₜ = ln β₁ ln β₃ / ((1 − t/T) ln β₃ + t/T ln β₁) until t = T.

    Args:
        beta: β₁, in [0, 1).
        slow: β₃, in [0, 1).
        alpha: α.
        alpha_warmup: steps over which α rises; 0 for none.
        beta3_warmup: steps over which β₃ rises; 0 for none.
    """

    beta: float
    slow: float
    alpha: float
    alpha_warmup: float = 0.0
    beta3_warmup: float = 0.0
    bounds: ClassVar = {"beta": FRACTION, "slow": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"m": Slot(role="moment"), "s": Slot()}  # s forgets too slowly for few bits

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        m = self.beta * state["m"] + (1 - self.beta) * u
        slow = self._slow(ctx.step)
        s = slow * state["s"] + (1 - slow) * u
        alpha = self.alpha * minimum(1.0, ctx.step / maximum(self.alpha_warmup, 1.0))
        return m / (1 - self.beta**ctx.step) + alpha * s, {"m": m, "s": s}

    def _slow(self, step: float) -> Any:
        # no Python decisions: a kernel would be made again when the warm-up ends
        share = minimum(1.0, step / maximum(self.beta3_warmup, 1.0))
        first, last = log(maximum(self.beta, 1e-8)), log(maximum(self.slow, 1e-8))
        return minimum(exp(first * last / ((1 - share) * last + share * first)), self.slow)


@dataclass(frozen=True)
class RestoreNorm(Transform):
    """AdaNorm: a gradient shorter than usual is lengthened to the running mean of norms. arXiv:2210.06364.

    e ← γ e + (1 − γ) ‖g‖,   e₀ = 0, not corrected;   u ← u e / ‖g‖ where e > ‖g‖ > 0.

    Put first in a chain it changes what momentum averages and leaves the gradient that moments see.

    Args:
        gamma: γ, in [0, 1); 0.95 in the paper.
    """

    gamma: float = 0.95
    bounds: ClassVar = {"gamma": FRACTION}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"norm": Slot(keep=())}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        length = norm(u)
        mean = self.gamma * state["norm"] + (1 - self.gamma) * length
        # where the norm is zero, so is u, and any factor does
        factor = where((mean > length) & (length > 0), mean / length, 1.0)
        return u * factor, {"norm": mean}
