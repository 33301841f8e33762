"""Adam with other first moments: what is averaged, how slowly, and what else the average divides."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AddEps,
    Bare,
    Debias,
    Decay,
    Ema,
    FastAndSlow,
    Full,
    FullPlusEps,
    Precondition,
    RestoreNorm,
    Scale,
    UpdateSquare,
)


@recipe(paper="arXiv:2106.11514", traits="elementwise rows scale_free coupled_decay")
def AdaMomentum(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    form: Literal["raw", "corrected"] = "raw",
):
    """Adam whose second moment is that of the momentum, not of the gradient.

    m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) m² + ε;   p ← p − lr · (m / (1 − β₁ᵗ)) / √(v / (1 − β₂ᵗ))

    ε is stored in v, where it gathers to ε / (1 − β₂), and appears nowhere else. The m in v is not corrected and the m
    above it is: on a constant gradient the first step is 1 / (1 − β₁) = 10 times Adam's, the tenth 2.2 times and the
    fiftieth 1.17 times. Warm up over some fifty steps, or take ``form="corrected"``, which corrects both.

    Reconstructed from the paper and a reproduction of its experiments, since there is no code by the authors; whether
    the last version of the paper corrects the m in v is uncertain.

    Args:
        lr: learning rate.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, inside the moment (the paper scales it by the task).
        weight_decay: λ ≥ 0, an L2 penalty (5e-4 in the reproduction).
        form: whether the m in v is corrected.
    """
    if form not in ("raw", "corrected"):
        raise ValueError(f"AdaMomentum: form={form!r} is unknown; known are raw, corrected")
    divided = Precondition(UpdateSquare(betas[1], eps), Bare())
    if form == "corrected":
        return chain(L2(weight_decay), Ema(betas[0], debias=True), divided, Scale(lr))
    return chain(L2(weight_decay), Ema(betas[0]), divided, Debias(betas[0]), Scale(lr))


@recipe(paper="arXiv:2210.06364", traits="scale_free reduces coupled_decay")
def AdamNorm(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    gamma: float = 0.95,
    form: Literal["paper", "authors"] = "paper",
):
    """AdaNorm's Adam: gradients shorter than usual enter the momentum at the usual length.

    e ← γ e + (1 − γ) ‖g‖;   s = g e / ‖g‖ where e > ‖g‖ > 0, else g
    m ← β₁ m + (1 − β₁) s;   v ← β₂ v + (1 − β₂) g²;   p ← p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

    The norm is that of the tensor. e starts at 0 and is not corrected, so that a gradient half as long as usual is
    lengthened only after some 13 steps. The authors' code divides 0 by 0 at a zero gradient; here s = g then. For the
    same correction under other methods (diffGradNorm, RadamNorm, AdaBeliefNorm) see the combinator ``adanorm``.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, an L2 penalty.
        gamma: γ in [0, 1) (the paper's).
        form: ``"authors"`` also adds ε to v at every step, as their code does in place; it gathers to ε / (1 − β₂).
    """
    if form not in ("paper", "authors"):
        raise ValueError(f"AdamNorm: form={form!r} is unknown; known are paper, authors")
    moment = FullPlusEps(betas[1], eps) if form == "authors" else Full(betas[1])
    return chain(
        L2(weight_decay),
        RestoreNorm(gamma),
        Ema(betas[0], debias=True),
        Precondition(moment, AddEps(eps)),
        Scale(lr),
    )


@recipe(paper="arXiv:2409.03137", traits="elementwise rows scale_free")
def AdEMAMix(
    lr: float = 1e-3,
    betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    alpha: float = 2.0,
    alpha_warmup: float = 0.0,
    beta3_warmup: float = 0.0,
):
    """AdamW with a second, very slow momentum beside the fast one.

    m ← β₁ m + (1 − β₁) g;   s ← β₃ₜ s + (1 − β₃ₜ) g;   v ← β₂ v + (1 − β₂) g²
    p ← p − lr · ((m / (1 − β₁ᵗ) + αₜ s) / (√(v / (1 − β₂ᵗ)) + ε) + λ p)
    αₜ = α min(1, t / alpha_warmup);   β₃ₜ rises from β₁ to β₃ over ``beta3_warmup`` steps, its half-life linearly

    The slow average is not corrected, so it enters gradually. The warm-ups belong to the method: both usually take as
    many steps as the whole training. 0 stands for none, the default of the authors' code. β₃ₜ follows the paper's
    formula; the code adds 1e-8 to each β under its logarithms, which moves it by some 4e-8.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂, β₃ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, decoupled.
        alpha: α ≥ 0 (2 in the authors' code; the paper uses 5 to 8).
        alpha_warmup: steps over which α rises, counted for each parameter.
        beta3_warmup: steps over which β₃ rises.
    """
    return chain(
        FastAndSlow(betas[0], betas[2], alpha, alpha_warmup, beta3_warmup),
        Precondition(Full(betas[1]), AddEps(eps)),
        Decay(weight_decay),
        Scale(lr),
    )
