"""LookSAM: look twice at every k-th step only, and go on in the direction that this has shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gradwright.core import Chain, Context, ParamSpec, Slot, Total, chain
from gradwright.core.transform import Slots, State
from gradwright.recipes.combinator import combinator
from gradwright.sharpness.dot import dot
from gradwright.sharpness.sam import Sam


@dataclass(frozen=True)
class LookSam(Sam):
    """SAM at the first of every k steps, which leaves the direction v̂ in which it went off; then g + α ‖g‖ v̂."""

    k: int = 5
    alpha: float = 0.7
    same_on_all_ranks: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 1:
            raise ValueError(f"LookSam: k={self.k} must be at least 1")

    @property
    def gradients(self) -> float:
        return 1 + 1 / self.k

    def looks(self, clock: float) -> bool:
        return int(clock - 1) % self.k == 0

    def slots(self, spec: ParamSpec) -> Slots:
        return {"direction": Slot(role="exact")}

    def combine(self, first: Tensor, second: Tensor | None, state: State, ctx: Context) -> Any:
        if second is None:
            squares = yield Total("gradient_norm2", dot(first, first))
            return first + (self.alpha * squares.sqrt()).to(first) * state["direction"], {}
        inner, squares = yield Total("two_gradients", dot(first, second), dot(first, first))
        v = second - (inner / (squares + 1e-12)).to(first) * first
        length = (yield Total("direction_norm2", dot(v, v))).sqrt()
        return second, {"direction": v * torch.where(length > 0, 1 / length, 0.0).to(v)}


@combinator("LookSAM", paper="arXiv:2203.02714", gains="totals clock", loses="elementwise low_memory")
def looksam(base: Chain, rho: float = 0.05, looksam_k: int = 5, looksam_alpha: float = 0.7) -> Chain:
    """SAM at every k-th step, and its direction in between.

    At steps 1, k + 1, …: u = g₁ = ∇f(θ + ρ g₀/(‖g₀‖ + 1e-12)),   v = g₁ − ⟨g₁, g₀⟩/(‖g₀‖² + 1e-12) g₀,   v̂ = v/‖v‖.
    At the others: u = g₀ + α ‖g₀‖ v̂.   θ ← base(θ, u).   ``step(closure)`` always; see :mod:`gradwright.sharpness`.

    ``rho`` ≥ 0; ``looksam_k`` ≥ 1, and 1 is SAM; ``looksam_alpha`` ≥ 0; 5 and 0.7 are the paper's. Norms run over all
    parameters that look twice, and the cycle is the optimizer's clock. 1 + 1/k gradients a step, and v̂ in the state.
    v̂ is 0 where v is. The authors published no code; that the first step is one of SAM's is this library's reading.

    Raises:
        ValueError: the recipe looks twice already, or ``looksam_k`` is below 1.
    """
    return chain(LookSam(rho, looksam_k, looksam_alpha), base)
