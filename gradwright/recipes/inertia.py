"""Adai: adaptive inertia."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import L2, AdaptiveInertia, Decay, Scale


@recipe(paper="arXiv:2006.15815", traits="reduces totals coupled_decay")
def Adai(
    lr: float = 0.1,
    betas: tuple[float, float] = (0.1, 0.99),
    eps: float = 1e-3,
    weight_decay: float = 0.0,
    dampening: float = 1.0,
    decoupled_weight_decay: bool = False,
):
    """SGD whose momentum, and not whose learning rate, adapts: long where gradients are small beside the others.

    v ← β₂ v + (1 − β₂) g²;   v̂ = v / (1 − β₂ᵗ);   r = (v̂ / mean(v̂))^(1 / (3 − 2 d)), the mean over all parameters
    β₁ = min(max(1 − β₀ r, 0), 1 − ε);   m ← β₁ m + (1 − β₁)^d g;   p ← p − lr β₀^(1 − d) m / (1 − Π β₁)

    Steps grow with the gradient, as those of SGD, and so does a lr that suits. State: 12 bytes a float32 parameter.

    Deviations: where all gradients have always been zero the authors' code makes everything NaN, and here nothing
    moves; each parameter is corrected by its own age, also in the mean.

    Args:
        lr: learning rate (that of the authors' runs; their code has no default).
        betas: β₀ ≥ 0 and β₂ in [0, 1) (the authors').
        eps: ε in (0, 1), the least share of the newest gradient (the authors').
        weight_decay: κ ≥ 0, an L2 penalty unless decoupled.
        dampening: d in [0, 1]; 1 is Adai, less is AdaiV2, whose authors take 0.9.
        decoupled_weight_decay: p ← p − lr κ p beside the step: AdaiW.
    """
    inertia = AdaptiveInertia(betas[0], betas[1], eps, dampening)
    if decoupled_weight_decay:
        return chain(inertia, Decay(weight_decay), Scale(lr))
    return chain(L2(weight_decay), inertia, Scale(lr))
