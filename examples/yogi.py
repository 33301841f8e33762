"""Yogi (Zaheer et al., NeurIPS 2018): Adam whose second moment shrinks no faster than it grows."""

from dataclasses import dataclass
from typing import ClassVar

import torch

import gradwright
from gradwright.core import Slot, chain
from gradwright.transforms import AddEps, Ema, Estimate, Moment, Precondition, Scale


@dataclass(frozen=True)
class Additive(Moment):
    """v ← v − (1 − β) sign(v − g²) g²: the step of v depends on g alone, not on how far v is from it."""

    beta: float
    bounds: ClassVar = {"beta": (0.0, 1.0)}

    def slots(self, spec):
        return {"v": Slot(start=1e-6)}

    def estimate(self, u, state, ctx):
        v, square = state["v"], ctx.grad * ctx.grad
        v = v - (1 - self.beta) * torch.sign(v - square) * square
        return Estimate(v), {"v": v}


@gradwright.recipe(paper="NeurIPS 2018, Zaheer et al.", traits="elementwise")
def Yogi(lr: float = 1e-2, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-3):
    """Adam with an additive second moment: p ← p − lr · m / (1 − β₁ᵗ) / (√v + ε)."""
    return chain(Ema(betas[0], debias=True), Precondition(Additive(betas[1]), AddEps(eps)), Scale(lr))
