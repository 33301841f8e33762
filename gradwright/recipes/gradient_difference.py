"""Adam-like methods that keep the gradient before and act on the change: diffGrad, Adan, MARS."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AddEps,
    Decay,
    DifferenceMomentum,
    Ema,
    EpsHat,
    Friction,
    Full,
    MaxOverTime,
    Precondition,
    ProximalDecay,
    ReduceVariance,
    Scale,
)


@recipe(paper="arXiv:1909.11015", traits="elementwise rows coupled_decay")
def DiffGrad(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
):
    """Adam with friction where the gradient hardly changes (diffGrad).

    ξ = 1 / (1 + exp(−|gₜ₋₁ − gₜ|)),   g₀ = 0;   m and v as in Adam
    p ← p − lr · ξ √(1 − β₂ᵗ) (m / (1 − β₁ᵗ)) / (√v + ε)

    ξ, from ½ to 1, scales the step alone and never the stored m. ε is added to the uncorrected root. This is the
    authors' second version. In their first, which made the figures of the paper, the stored gradient was the gradient
    tensor itself, so that it always equalled the new one: ξ = ½, and the method was Adam at half the learning rate.

    Args:
        lr: learning rate (the paper's default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0 (the paper's).
        weight_decay: λ ≥ 0, an L2 penalty.
    """
    return chain(
        L2(weight_decay),
        Ema(betas[0], debias=True),
        Friction(),
        Precondition(Full(betas[1]), EpsHat(eps)),
        Scale(lr),
    )


@recipe(paper="arXiv:2208.06677", traits="elementwise rows scale_free")
def Adan(
    lr: float = 1e-3,
    betas: tuple[float, float, float] = (0.98, 0.92, 0.99),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    no_prox: bool = False,
):
    """Nesterov momentum without an extra gradient: the average of gradient differences looks ahead.

    Δ = gₜ − gₜ₋₁,   Δ₁ = 0;   m ← β₁ m + (1 − β₁) g;   d ← β₂ d + (1 − β₂) Δ;   n ← β₃ n + (1 − β₃) (g + β₂ Δ)²
    u = (m / (1 − β₁ᵗ) + β₂ d / (1 − β₂ᵗ)) / (√(n / (1 − β₃ᵗ)) + ε)
    p ← (p − lr u) / (1 + lr λ),   or p (1 − lr λ) − lr u with ``no_prox``

    The betas are decay rates, as in the authors' code; the paper writes the weights 1 − β = (0.02, 0.08, 0.01).

    Deviations: the code's ``max_grad_norm``, off by default, is left to ``torch.nn.utils.clip_grad_norm_``; the restart
    of the paper is left out.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂, β₃ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0 (0 in the code; 0.02 is typical).
        no_prox: decay as AdamW does.
    """
    direction = DifferenceMomentum(betas[0], betas[1], Full(betas[2]), AddEps(eps))
    if no_prox:
        return chain(direction, Decay(weight_decay), Scale(lr))
    return chain(direction, Scale(lr), ProximalDecay(lr * weight_decay))


@recipe(paper="arXiv:2411.10438", traits="reduces", only="!vector & !scalar")
def MARS(
    lr: float = 3e-3,
    betas: tuple[float, float] = (0.95, 0.99),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    gamma: float = 0.025,
    amsgrad: bool = False,
    form: Literal["authors", "timm"] = "authors",
):
    """AdamW on variance-reduced gradients, the MARS-AdamW of the paper in its cheap form (one gradient a step).

    c = g + γ β₁ / (1 − β₁) · (g − gₜ₋₁);   c ← c / max(1, ‖c‖), the norm that of the tensor
    m ← β₁ m + (1 − β₁) c;   v ← β₂ v + (1 − β₂) c²;   p ← p − lr · ((m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ p)

    For matrices: :func:`gradwright.build` gives vectors and single numbers to AdamW, as the authors do, who train
    everything that is not two-dimensional with AdamW at lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1. Given vectors
    directly, it treats them as matrices (their ``optimize_1d=True``). Convolutions count as matrices here and in timm.

    The last gradient is stored by value. The authors' code stores the tensor itself: where gradients are zeroed in
    place, it equals the new one and the correction vanishes.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1) (the authors').
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, decoupled (0.1 in their runs).
        gamma: γ ≥ 0 (the authors').
        amsgrad: divide by the largest v so far.
        form: ``"authors"`` takes the gradient before the first as 0, ``"timm"`` does not correct the first gradient.
    """
    if form not in ("authors", "timm"):
        raise ValueError(f"MARS: form={form!r} is unknown; known are authors, timm")
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    return chain(
        ReduceVariance(gamma, betas[0], from_zero=form == "authors"),
        Ema(betas[0], debias=True),
        Precondition(moment, AddEps(eps)),
        Decay(weight_decay),
        Scale(lr),
    )
