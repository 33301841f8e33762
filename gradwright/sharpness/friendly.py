"""Friendly SAM: perturb along what is new in the gradient, and not along what all batches share."""

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

NOTHING = 1e-6
"""A gradient that differs from its average by less than this part of itself shows nowhere to go."""


@dataclass(frozen=True)
class FriendlySam(Sam):
    """Look again along g − σ m, where m is the average of the gradients before."""

    sigma: float = 1.0
    beta: float = 0.9
    same_on_all_ranks: ClassVar[bool] = True
    bounds: ClassVar = {"beta": (0.0, 1.0)}

    def slots(self, spec: ParamSpec) -> Slots:
        return {"average": Slot(role="exact")}

    def perturb(self, g: Tensor, state: State, ctx: Context) -> Any:
        d = g if ctx.step == 1 else g - self.sigma * state["average"]
        new, whole = yield Total("perturbation_norm2", dot(d, d), dot(g, g))
        length = self.rho / (new.sqrt() + 1e-12)
        return d * torch.where(new.sqrt() > NOTHING * whole.sqrt(), length, 0.0).to(d)

    def combine(self, first: Tensor, second: Tensor | None, state: State, ctx: Context) -> Any:
        if ctx.step == 1:
            return second, {"average": first}
        return second, {"average": self.beta * state["average"] + (1 - self.beta) * first}


@combinator(
    "FriendlySAM", paper="arXiv:2403.12350", gains="totals", loses="elementwise low_memory", neutral={"rho": 0.0}
)
def friendly_sam(base: Chain, rho: float = 0.05, friendly_sigma: float = 1.0, friendly_beta: float = 0.9) -> Chain:
    """Friendly SAM: the perturbation leaves out what the gradients of all batches share.

    d = g₀ − σ m (g₀ at first),   m ← λ m + (1 − λ) g₀ (g₀ at first),   u = ∇f(θ + ρ d/(‖d‖ + 1e-12)),
    θ ← base(θ, u).   ``step(closure)``; see :mod:`gradwright.sharpness`.

    ``rho`` ≥ 0; ``friendly_sigma`` ≥ 0 is σ, and 0 is SAM; ``friendly_beta`` in [0, 1) is λ, the authors' 0.9 (0.6 to
    0.95 in the paper). m is in the state, starts at the first gradient, and sees g₀ itself, not d. Where ‖d‖ is below
    a millionth of ‖g₀‖, as of a gradient that is always the same, there is no perturbation: what is left is rounding,
    which the authors' code would blow up to length ρ.

    Raises:
        ValueError: the recipe looks twice already.
    """
    return chain(FriendlySam(rho, friendly_sigma, friendly_beta), base)
