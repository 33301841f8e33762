"""Gradients that are divided before they are averaged: LaProp and NovoGrad; and BCOS, which needs one buffer."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AddEps,
    ConditionalAverage,
    Decay,
    Ema,
    Full,
    HeavyBall,
    Precondition,
    Scale,
    TensorSquare,
)


@recipe(paper="arXiv:2002.04839", traits="elementwise rows scale_free")
def LaProp(
    lr: float = 4e-4,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-15,
    weight_decay: float = 0.0,
):
    """Adam the other way round: each gradient is divided by the root of its moment first, and averaged then.

    v ← β₂ v + (1 − β₂) g²;   m ← β₁ m + (1 − β₁) g / (√(v / (1 − β₂ᵗ)) + ε)
    p ← p − lr (m / (1 − β₁ᵗ) + λ p)

    What is averaged is bounded, so that the step is, whatever β₁ and β₂ are; Adam's is not where β₁ > √β₂.

    Deviations from the authors' code: there lr is inside the average, so that under a schedule old gradients keep their
    old lr, and the decay is not multiplied by it.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1) (the authors').
        eps: ε ≥ 0, outside the root (the authors').
        weight_decay: λ ≥ 0, decoupled.
    """
    return chain(Precondition(Full(betas[1]), AddEps(eps)), Ema(betas[0], debias=True), Decay(weight_decay), Scale(lr))


@recipe(paper="arXiv:1905.11286", traits="scale_free reduces low_memory")
def NovoGrad(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.95, 0.98),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    averaging: bool = False,
):
    """Momentum of gradients of unit length: the second moment is one number a tensor.

    v ← β₂ v + (1 − β₂) ‖g‖², v₁ = ‖g‖²;   u = g / (√v + ε) + λ p
    m ← β₁ m + u, or β₁ m + (1 − β₁) u with ``averaging``;   p ← p − lr m

    u has about length 1 for each *tensor*, so that entries of a large one move less; ``averaging`` makes steps 1 − β₁
    times as long. The decay is inside the momentum.

    Args:
        lr: learning rate.
        betas: β₁, β₂ in [0, 1) (the paper's; NVIDIA's code has a β₂ of 0 and optax (0.9, 0.25)).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, added to the divided gradient.
        averaging: average instead of adding up.
    """
    divided = Precondition(TensorSquare(betas[1]), AddEps(eps))
    momentum = Ema(betas[0]) if averaging else HeavyBall(betas[0])
    return chain(divided, L2(weight_decay), momentum, Scale(lr))


@recipe(paper="arXiv:2507.08963", traits="elementwise rows scale_free low_memory")
def BCOS(lr: float = 1e-3, momentum: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.1):
    """Block-coordinate optimal steps: AdamW at half its memory, as the moment is told from the momentum.

    v = (3 β² − 2 β³) m² + (1 − β)² g² + 2 β (1 − β)² m g, with m before its update and m₀ = g₁
    m ← β m + (1 − β) g;   p ← p − lr (m / (√v + ε) + λ p)

    v is what m² is expected to be, given the last m: the conditional form (``c``) of the authors' code, their default.
    The first step is lr sign(g).

    Args:
        lr: learning rate (ours: the authors' code asks for one).
        momentum: β in [0, 1) (the authors').
        eps: ε ≥ 0, outside the root (the authors').
        weight_decay: λ ≥ 0, decoupled (the authors').
    """
    return chain(ConditionalAverage(momentum, eps), Decay(weight_decay), Scale(lr))
