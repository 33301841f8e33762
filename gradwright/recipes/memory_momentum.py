"""Momentum with more memory, or with a memory that is weighed anew: PNM, AdaGL and adaptive memory momentum."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AdaptiveMemory,
    AdaptiveMemoryMoment,
    AddEps,
    Debias,
    Decay,
    FractionalMemory,
    Full,
    MaxOverTime,
    PositiveNegative,
    Precondition,
    Scale,
)


@recipe(paper="arXiv:2103.17182", traits="elementwise rows")
def PNM(
    lr: float = 0.1,
    momentum: float = 0.9,
    beta0: float = 1.0,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = True,
):
    """SGD with positive-negative momentum, whose noise is larger than that of an average with the same mean.

    mₜ = β₁² mₜ₋₂ + (1 − β₁²) g;   u = ((1 + β₀) mₜ − β₀ mₜ₋₁) / √((1 + β₀)² + β₀²);   p ← p − lr (u + λ p)

    On a constant gradient of 1 the first step is 0.17 lr long and the steps settle at 0.45 lr. The second points
    against its gradient where that is less than half the first one.

    Args:
        lr: learning rate (the authors' code has no default).
        momentum: β₁ in [0, 1) (the authors').
        beta0: β₀ ≥ 0 (the authors' 1); they call ``(β₁, β₀)`` their betas.
        weight_decay: λ ≥ 0.
        decoupled_weight_decay: decay as AdamW does (the authors' default), or by an L2 penalty.
    """
    core = PositiveNegative(momentum, beta0)
    if decoupled_weight_decay:
        return chain(core, Decay(weight_decay), Scale(lr))
    return chain(L2(weight_decay), core, Scale(lr))


@recipe(paper="arXiv:2103.17182", traits="elementwise rows scale_free")
def AdaPNM(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    beta0: float = 1.0,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = True,
    decoupled_weight_decay: bool = True,
):
    """Adam with positive-negative momentum.

    mₜ = β₁² mₜ₋₂ + (1 − β₁²) g;   u = ((1 + β₀) mₜ − β₀ mₜ₋₁) / √((1 + β₀)² + β₀²)
    v ← β₂ v + (1 − β₂) g², with ``amsgrad`` the largest so far
    p ← p − lr ((u / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ p)

    The correction 1 − β₁ᵗ is not that of an average with β₁², so that the first step is 1.70 lr long: warm up.

    Args:
        lr: learning rate (the authors').
        betas: β₁, β₂ in [0, 1) (the authors').
        beta0: β₀ ≥ 0 (the authors' 1, the third of their betas).
        eps: ε ≥ 0, outside the corrected root.
        weight_decay: λ ≥ 0.
        amsgrad: divide by the largest v so far (the authors' default).
        decoupled_weight_decay: decay as AdamW does (the authors' default), or by an L2 penalty.
    """
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    core = chain(PositiveNegative(betas[0], beta0), Precondition(moment, AddEps(eps)), Debias(betas[0]))
    if decoupled_weight_decay:
        return chain(core, Decay(weight_decay), Scale(lr))
    return chain(L2(weight_decay), core, Scale(lr))


@recipe(paper="doi:10.1007/s11063-024-11571-7", traits="elementwise rows")
def AdaGL(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    alpha: float = 0.5,
    history: int = 10,
):
    """Adam on a fractional difference of the gradient's history, eased where the gradient is steady.

    D = Σⱼ wⱼ gₜ₋ⱼ for j = 0 ... K,   w₀ = 1,   wⱼ = wⱼ₋₁ (j − 1 − α) / j
    m ← β₁ m + (1 − β₁) D;   v ← β₂ v + (1 − β₂) D²;   C = 1.1 − ½ / (1 + |gₜ₋₁ − gₜ|), entry by entry
    p ← p − lr (C · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ p)

    α = 0 is Adam's direction and α = 1 the plain difference of gradients. For α above 1 the weights sum to less than
    zero, so that a gradient which lasts longer than the history is climbed. K past gradients are kept: 12 numbers for
    each parameter.

    Reconstructed: neither the authors' code nor their hyper-parameters could be had; the defaults of ``alpha`` and
    ``lr`` are ours. The nearer α is to 1, the less is left of what successive gradients have in common. Third-party
    code takes α = 1.5 and K = 9, uses the mean change of a tensor in C, and forgets to store its history.

    Args:
        lr: learning rate.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, decoupled.
        alpha: α in [0, 2), the order of the difference.
        history: K ≥ 1, past gradients kept.
    """
    memory = FractionalMemory(betas[0], Full(betas[1]), AddEps(eps), alpha, history)
    return chain(memory, Decay(weight_decay), Scale(lr))


@recipe(paper="arXiv:2510.04988", traits="totals reduces low_memory coupled_decay")
def AMMSGD(lr: float = 0.1, momentum: float = 0.9, pull: float = 0.1, weight_decay: float = 0.0):
    """SGD whose momentum coefficient is worked out anew at each step, one for the whole model.

    g ← g + μ p;   β = (‖g‖² + 2 λ ⟨g, d⟩ − λ ‖d‖²) / ‖d − g‖², kept in [0, β_max], sums over all parameters
    d ← ((β + λ) d + (1 − β) g) / (1 + λ), d₁ = g₁;   p ← p − lr d

    Momentum rises to its cap while gradients agree and falls where they turn. β does not depend on the size of the
    gradients; the step does. Reconstructed from the paper's dual problem: its code is not public. That one β serves all
    tensors, and the first step, are our reading.

    Args:
        lr: learning rate.
        momentum: β_max in [0, 1), the most that β may be.
        pull: λ ≥ 0, how strongly the step is held near that of the memory alone (the paper's 0.1).
        weight_decay: μ ≥ 0, an L2 penalty.
    """
    return chain(L2(weight_decay), AdaptiveMemory(pull, momentum), Scale(lr))


@recipe(paper="arXiv:2510.04988", traits="reduces")
def AMAdamW(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.89, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    pull: float = 0.1,
):
    """AdamW whose momentum coefficient is worked out anew at each step, one for each tensor.

    v ← β₂ v + (1 − β₂) g²;   P = (1 − β_max β₁ ⋯ βₜ₋₁) (√(v / (1 − β₂ᵗ)) + ε);   β from the last step, g and d
    d ← ((1 − β) g + (λ P + β) d) / (1 + λ P);   p ← p − lr (d / P + μ p)

    With ``pull=0`` and β at its cap this is AdamW. λ is compared with P, so that with λ > 0 the size of gradients
    matters. The equation of β is that of :class:`~gradwright.transforms.AdaptiveMemoryMoment`. Reconstructed from the
    paper's dual problem: its code is not public.

    Args:
        lr: learning rate.
        betas: β_max, the most that β may be (the paper's 0.9 − 0.1 λ), and β₂, in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: μ ≥ 0, decoupled, and known to β.
        pull: λ ≥ 0 (the paper's 0.1).
    """
    memory = AdaptiveMemoryMoment(Full(betas[1]), lr, pull, betas[0], eps, weight_decay)
    return chain(memory, Decay(weight_decay), Scale(lr))
