"""Nostalgic Adam (Huang et al., IJCAI 2019): Adam whose second moment keeps its past."""

from dataclasses import dataclass

import gradwright
from gradwright.core import HostScalar, Slot, chain
from gradwright.transforms import AddEps, Ema, Estimate, Moment, Precondition, Scale


@dataclass(frozen=True)
class Nostalgic(Moment):
    """An average of all g², the k-th with the weight k^−γ: the older ones count more than the newer."""

    gamma: float

    def slots(self, spec):
        return {"v": Slot(role="square"), "weights": HostScalar()}

    def estimate(self, u, state, ctx):
        weight = ctx.step**-self.gamma
        weights = state["weights"] + weight
        v = state["v"] + weight / weights * (ctx.grad * ctx.grad - state["v"])
        return Estimate(v), {"v": v, "weights": weights}


@gradwright.recipe(paper="arXiv:1805.07557", traits="elementwise scale_free")
def NosAdam(lr: float = 1e-3, beta: float = 0.9, gamma: float = 0.1, eps: float = 1e-8):
    """Adam with a nostalgic second moment: p ← p − lr · m / (1 − βᵗ) / (√v + ε)."""
    return chain(Ema(beta, debias=True), Precondition(Nostalgic(gamma), AddEps(eps)), Scale(lr))
