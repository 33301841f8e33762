"""Adam whose steps are held in bounds: by what its second moment expects, or by a rate that all entries share."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AddEps,
    BoundedRate,
    Decay,
    Ema,
    Full,
    MaxOverTime,
    Precondition,
    Scale,
    SurpriseClip,
)


@recipe(paper="arXiv:2304.13013", traits="scale_free reduces")
def StableAdamW(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.99),
    eps: float = 1e-6,
    weight_decay: float = 1e-2,
):
    """AdamW that takes a shorter step with a tensor whose gradients are larger than its second moment expects.

    m̂ and v̂ as in AdamW;   r² = mean of g² / max(v̂, ε²) over the tensor;   α = lr / max(1, r)
    p ← p − α (m̂ / (√v̂ + ε) + λ p)

    It takes the place of gradient clipping, and knows no threshold: r is about 1 while gradients are as they were. A
    spike holds the decay back as well. An embedding's mean is over all its rows, so that a spike in a few of them goes
    unseen.

    The rule is that of the paper's third section with the corrected averages of the code that is in use (optimi); the
    authors published none.

    Args:
        lr: learning rate.
        betas: β₁, β₂ in [0, 1) (optimi's).
        eps: ε ≥ 0, outside the root (optimi's).
        weight_decay: λ ≥ 0, decoupled (optimi's).
    """
    return chain(
        Ema(betas[0], debias=True),
        Precondition(Full(betas[1]), AddEps(eps)),
        Decay(weight_decay),
        SurpriseClip(eps),
        Scale(lr),
    )


@recipe(paper="arXiv:1902.09843", traits="elementwise rows coupled_decay")
def AdaBound(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    final_ratio: float = 100.0,
    gamma: float = 1e-3,
    amsgrad: bool = False,
):
    """Adam that turns into SGD: the rate of each entry is squeezed into bounds that close.

    g ← g + λ p;   m and v as in Adam, m uncorrected
    η = clip(√(1 − β₂ᵗ) / (1 − β₁ᵗ) / (√v + ε), r (1 − 1 / (γ t + 1)), r (1 + 1 / (γ t)));   p ← p − lr η m

    In the end it is SGD with a learning rate of r · lr and an average for its momentum.

    Deviation from the authors' code, which gives the last learning rate, 0.1, and divides it by the first one, so that
    a group that joins later is never stepped: the ratio r of the two is given here, and every schedule keeps it.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, added before the correction.
        weight_decay: λ ≥ 0, an L2 penalty.
        final_ratio: r ≥ 0, the last learning rate over lr (the authors' 0.1 over 1e-3).
        gamma: γ in (0, 1), how fast the bounds close (the authors').
        amsgrad: divide by the largest v so far: AMSBound.
    """
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    rate = BoundedRate(moment, betas[0], eps, final_ratio, gamma)
    return chain(L2(weight_decay), Ema(betas[0]), rate, Scale(lr))
