"""GSAM: also lower the gap between the loss nearby and the loss at the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gradwright.core import Chain, Context, Total, chain
from gradwright.core.transform import State
from gradwright.recipes.combinator import combinator
from gradwright.sharpness.dot import dot
from gradwright.sharpness.sam import Sam


@dataclass(frozen=True)
class Gsam(Sam):
    """SAM's gradient, less α times the part of the plain gradient that is orthogonal to it."""

    alpha: float = 0.4
    same_on_all_ranks: ClassVar[bool] = True

    def combine(self, first: Tensor, second: Tensor | None, state: State, ctx: Context) -> Any:
        assert second is not None
        parts = dot(first, second), dot(first, first), dot(second, second)
        inner, its, mine = yield Total("two_gradients", *parts)
        its, mine = its.sqrt(), mine.sqrt()
        along = inner / (its * mine + 1e-12) * its / (mine + 1e-12)
        return second - self.alpha * (first - along.to(first) * second), {}


@combinator("GSAM", paper="arXiv:2203.08065", gains="totals", loses="elementwise")
def gsam(base: Chain, rho: float = 0.05, gsam_alpha: float = 0.4) -> Chain:
    """Surrogate-gap guided SAM: step by SAM's gradient, and climb what is orthogonal to it of the plain one.

    g₁ = ∇f(θ + ρ g₀/(‖g₀‖ + 1e-12)),   cos = ⟨g₀, g₁⟩ / (‖g₀‖ ‖g₁‖ + 1e-12),   v = g₀ − cos ‖g₀‖ g₁ / (‖g₁‖ + 1e-12),
    u = g₁ − α v,   θ ← base(θ, u).   ``step(closure)``; see :mod:`gradwright.sharpness`.

    −α v lowers f(θ + e) − f(θ) and leaves f(θ + e) as it is, to first order. ``rho`` ≥ 0, in the paper 0.04 to 0.6;
    ``gsam_alpha`` ≥ 0, and 0 is SAM. In the authors' schedule ``rho`` goes with lr: set both in the group. Norms run
    over all parameters that look twice. In the authors' code each rank decomposes its own gradients; here it is the
    averaged ones.

    Raises:
        ValueError: the recipe looks twice already.
    """
    return chain(Gsam(rho, gsam_alpha), base)
