"""WSAM: sharpness with a weight of its own, and past the base's momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gradwright.core import Chain, Context, ParamSpec, Slot, chain
from gradwright.core.transform import STEP, Slots, State
from gradwright.recipes.combinator import combinator
from gradwright.sharpness.sam import Sam
from gradwright.transforms import Scale


@dataclass(frozen=True)
class Wsam(Sam):
    """The gradient is g₀ + α (g₁ − g₀), α = γ / (1 − γ)."""

    gamma: float = 0.9
    same_on_all_ranks: ClassVar[bool] = True
    bounds: ClassVar = {"gamma": (0.0, 1.0)}

    def weighted(self, first: Tensor, second: Tensor | None) -> Tensor:
        """α (g₁ − g₀), the gradient of the sharpness."""
        assert second is not None
        return self.gamma / (1 - self.gamma) * (second - first)

    def combine(self, first: Tensor, second: Tensor | None, state: State, ctx: Context) -> Any:
        return first + self.weighted(first, second), {}


@dataclass(frozen=True)
class DecoupledWsam(Wsam):
    """The gradient is g₀, and α (g₁ − g₀) is added to the step itself, before the learning rate."""

    stage: ClassVar[int] = STEP

    def slots(self, spec: ParamSpec) -> Slots:
        return {"sharpness": Slot(role="exact")}

    def combine(self, first: Tensor, second: Tensor | None, state: State, ctx: Context) -> Any:
        return first, {"sharpness": self.weighted(first, second)}

    def update(self, u: Any, state: State, ctx: Context) -> Any:
        return u + state["sharpness"], {}


@combinator("WSAM", paper="arXiv:2305.15817", gains="totals", loses="elementwise sign low_memory")
def wsam(base: Chain, rho: float = 0.05, wsam_gamma: float = 0.9, decoupled: bool = True) -> Chain:
    """Weighted SAM: sharpness, which is the loss nearby less the loss, counts γ / (1 − γ) times.

    α = γ / (1 − γ),   g₁ = ∇f(θ + ρ g₀/(‖g₀‖ + 1e-12)).   ``step(closure)``; see :mod:`gradwright.sharpness`.
    ``decoupled``, the default: θ ← base(θ, g₀) − lr α (g₁ − g₀), past the base's momentum and preconditioner.
    Coupled: θ ← base(θ, g₀ + α (g₁ − g₀)). Of SGD without momentum both are the same.

    ``rho`` ≥ 0; ``wsam_gamma`` in [0, 1): 0 is the base, 0.5 coupled is SAM, and 0.9, the default, counts the
    difference nine times. Norms run over all parameters that look twice. The authors' code keeps the perturbation and
    both gradients in the state for good; here it is the difference, for the decoupled form.

    Raises:
        ValueError: the recipe looks twice already; or, decoupled, it has no learning rate at its end to be multiplied
            by.
    """
    if not decoupled:
        return chain(Wsam(rho, wsam_gamma), base)
    at = [at for at, link in enumerate(base.links) if isinstance(link, Scale)]
    if len(at) != 1:
        raise ValueError(
            "wsam: this recipe does not end in one learning rate, by which sharpness could be multiplied beside the "
            "rest; give decoupled=False, or combine it with SGD, AdamW, Lion or their like"
        )
    return chain(*base.links[: at[0]], DecoupledWsam(rho, wsam_gamma), *base.links[at[0] :])
