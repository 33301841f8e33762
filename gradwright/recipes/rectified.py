"""Adam-like methods that do not trust a second moment before it has seen some gradients: RAdam, ADOPT."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    Centralize,
    Decay,
    Ema,
    EpsHat,
    Floor,
    Full,
    GrowingClip,
    Lagged,
    Lookahead,
    Precondition,
    Rectify,
    RestFirst,
    Scale,
)


@recipe(
    paper="arXiv:1908.03265",
    traits="elementwise rows coupled_decay",
    torch_state={"exp_avg": "ema.m", "exp_avg_sq": "rectify.of.v"},
)
def RAdam(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    degenerated_to_sgd: bool = True,
):
    """Adam with a built-in warm-up: steps are rectified by how much the second moment still varies.

    ρ∞ = 2 / (1 − β₂) − 1,   ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ);   m and v as in Adam
    u = r √(1 − β₂ᵗ) (m / (1 − β₁ᵗ)) / (√v + ε),   r = √((ρ − 4) (ρ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρ)),   once ρ > 5
    u = m / (1 − β₁ᵗ) before that;   p ← p − lr u

    With β₂ = 0.999 the first five steps are those of momentum SGD and as large as the gradients are; gradients far
    above 1 make them dangerous. ``degenerated_to_sgd=False`` rests instead. With β₂ of 2/3 or less ρ never exceeds 5.
    The threshold is torch's; the paper has ρ > 4, the authors' code ρ ≥ 5. ε is added to the uncorrected root, as in
    both. While it rests, decoupled decay goes on, which in the authors' code rests too.

    Args:
        lr: learning rate (torch's default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0, an L2 penalty unless decoupled.
        decoupled_weight_decay: decay as AdamW does.
        degenerated_to_sgd: step along the momentum while ρ ≤ 5, as torch does; otherwise rest.
    """
    divided = Precondition(Full(betas[1]), EpsHat(eps))
    below = "momentum" if degenerated_to_sgd else "rest"
    core = chain(Ema(betas[0], debias=True), Rectify(divided, betas[1], below))
    if decoupled_weight_decay:
        return chain(core, Decay(weight_decay), Scale(lr))
    return chain(L2(weight_decay), core, Scale(lr))


@recipe(paper="arXiv:2411.02853", traits="elementwise rows scale_free coupled_decay")
def ADOPT(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.9999),
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
):
    """Adam that divides each gradient by the moment of those before it, and averages afterwards.

    First step:  v = g², and the weights rest, decay included.   Then
    n = g / max(√v, ε),   clipped to ±(t − 1)^¼;   m ← β₁ m + (1 − β₁) n;   p ← p − lr m;   v ← β₂ v + (1 − β₂) g²

    It converges with any β₂, where Adam need not. Nothing is corrected for its start from zero. This is the second
    version of the paper, with the clip; t − 1 counts the steps that moved, as in the authors' code (timm clips to
    (t − 1)^⅓). A first gradient near zero makes n large, and then the clip alone holds it.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1) (the authors').
        eps: ε ≥ 0, the least √v (the authors').
        weight_decay: λ ≥ 0, an L2 penalty unless decoupled.
        decoupled_weight_decay: decay as AdamW does (the authors' ``decouple``).
    """
    core = chain(Precondition(Lagged(betas[1]), Floor(eps)), GrowingClip(), Ema(betas[0]))
    if decoupled_weight_decay:
        return chain(core, Decay(weight_decay), Scale(lr), RestFirst())
    return chain(L2(weight_decay), core, Scale(lr))


@recipe(paper="arXiv:1908.03265; arXiv:1907.08610; arXiv:2004.01461", traits="reduces clock")
def Ranger(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.95, 0.999),
    eps: float = 1e-5,
    weight_decay: float = 0.0,
    k: int = 6,
    alpha: float = 0.5,
):
    """RAdam on centralised gradients, in Lookahead.

    It is ``lookahead(centralized(RAdam))`` with the settings of its author and no exception for embeddings:

    g ← g − mean(g) over dimensions 1, 2, ...;   u as in RAdam;   p ← p − lr (u + λ p);   every k steps θ ← φ as in
    Lookahead

    Deviations from the author's code: a closure is called, and state has the parameter's type.

    Args:
        lr: learning rate (the author's).
        betas: β₁, β₂ in [0, 1) (the author's).
        eps: ε ≥ 0, added before the correction (the author's).
        weight_decay: λ ≥ 0, decoupled.
        k: steps in a cycle, at least 1 (the author's).
        alpha: how far the slow weights follow, in [0, 1].
    """
    divided = Rectify(Precondition(Full(betas[1]), EpsHat(eps)), betas[1], "momentum")
    average = Ema(betas[0], debias=True)
    return chain(Centralize("*"), average, divided, Decay(weight_decay), Scale(lr), Lookahead(k, alpha))
