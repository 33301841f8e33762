"""The sign of one and the size of another: Grams and Ano."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    Decay,
    Ema,
    EpsHat,
    EpsInside,
    FaceGradient,
    FaceMomentum,
    Full,
    Precondition,
    Scale,
    SignedSquare,
)


@recipe(paper="arXiv:2412.17107", traits="elementwise rows scale_free")
def Grams(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 0.0,
):
    """Adam's size and the gradient's sign: an entry whose momentum points elsewhere is turned around.

    m and v as in Adam;   u = sign(g) · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · |m| / (√v + ε);   p ← p − lr (u + λ p)

    Where the cautious form of Adam rests, this one goes the other way. An entry without a gradient rests.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, added before the correction (the authors').
        weight_decay: λ ≥ 0, decoupled.
    """
    return chain(
        Ema(betas[0], debias=True),
        Precondition(Full(betas[1]), EpsHat(eps)),
        FaceGradient(),
        Decay(weight_decay),
        Scale(lr),
    )


@recipe(paper="arXiv:2508.18258", traits="elementwise rows scale_free")
def Ano(
    lr: float = 1e-4,
    betas: tuple[float, float] = (0.92, 0.99),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
):
    """The momentum's sign and the gradient's size, for gradients with much noise.

    m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) sign(g² − v) g²
    p ← p − lr (|g| sign(m) / √(v / (1 − β₂ᵗ) + ε) + λ p)

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1) (the authors'). With β₂ below ½ v is cut off at 0.
        eps: ε ≥ 0, inside the root (the authors').
        weight_decay: λ ≥ 0, decoupled.
    """
    divided = Precondition(SignedSquare(betas[1]), EpsInside(eps))
    return chain(Ema(betas[0]), FaceMomentum(), divided, Decay(weight_decay), Scale(lr))
