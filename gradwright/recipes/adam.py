"""Adam and its closest kin: averages of the gradient over the root of a full-size moment."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AddEps,
    Belief,
    Debias,
    Decay,
    Ema,
    EpsHat,
    Full,
    MaxOverTime,
    NesterovDebiased,
    NesterovSchedule,
    Precondition,
    Rectify,
    Scale,
)

TORCH_STATE = {"exp_avg": "ema.m", "exp_avg_sq": "precondition.v", "max_exp_avg_sq": "precondition.v_max"}


@recipe(paper="arXiv:1412.6980", traits="elementwise rows scale_free coupled_decay", torch_state=TORCH_STATE)
def Adam(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
):
    """Adam; weight decay, if any, is an L2 penalty, as in ``torch.optim.Adam``.

    g ← g + λ p;   m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²
    p ← p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

    Args:
        lr: learning rate (the paper's default).
        betas: β₁, β₂ in [0, 1) (the paper's).
        eps: ε ≥ 0, outside the root (the paper's).
        weight_decay: λ ≥ 0; for decay that stays out of the moments use AdamW.
        amsgrad: divide by the largest v so far, corrected by the present 1 − β₂ᵗ as in torch; for the other forms in
            circulation see the recipe AMSGrad.
    """
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    return chain(L2(weight_decay), Ema(betas[0], debias=True), Precondition(moment, AddEps(eps)), Scale(lr))


@recipe(paper="arXiv:1711.05101", traits="elementwise rows scale_free", torch_state=TORCH_STATE)
def AdamW(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    amsgrad: bool = False,
):
    """Adam with decoupled weight decay, as ``torch.optim.AdamW``.

    m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²
    p ← p − lr · ((m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ p)

    Deviation from the paper: the decay is multiplied by lr, as everywhere in practice; the paper multiplies it by the
    schedule alone.

    Args:
        lr: learning rate.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0 (torch's default).
        amsgrad: divide by the largest v so far, corrected by the present 1 − β₂ᵗ as in torch.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(4, 2)
        >>> optimizer = AdamW(model.parameters(), lr=3e-4)
        >>> model(torch.ones(1, 4)).sum().backward()
        >>> optimizer.step()
    """
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    return chain(Ema(betas[0], debias=True), Precondition(moment, AddEps(eps)), Decay(weight_decay), Scale(lr))


@recipe(
    paper="Dozat 2016; torch.optim.NAdam",
    traits="elementwise rows scale_free coupled_decay",
    torch_state={
        "exp_avg": "nesterov_schedule.m",
        "mu_product": "nesterov_schedule.product",
        "exp_avg_sq": "precondition.v",
    },
)
def NAdam(
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    form: Literal["torch", "dozat", "optax"] = "torch",
):
    """Adam with Nesterov momentum.

    μₜ = β₁ (1 − ½ · 0.96^(t ψ)),   Πₜ = μ₁ ⋯ μₜ,   m and v as in Adam
    u = ((1 − μₜ) / (1 − Πₜ) · g + μₜ₊₁ / (1 − Πₜ μₜ₊₁) · m) / (√(v / (1 − β₂ᵗ)) + ε);   p ← p − lr u

    Several incompatible forms circulate. ``"torch"`` averages m with β₁, a deviation from Dozat's report, which uses
    μₜ (``"dozat"``). ``"optax"`` has no μ schedule: u = (β₁ m / (1 − β₁ᵗ⁺¹) + (1 − β₁) g / (1 − β₁ᵗ)) / …
    The form with independent benchmark evidence is :class:`NAdamW`.

    Args:
        lr: learning rate (torch's default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, an L2 penalty unless decoupled.
        momentum_decay: ψ ≥ 0; without effect in the form ``"optax"``, where it must stay at its default.
        decoupled_weight_decay: decay as AdamW does.
        form: which of the three.
    """
    if form == "optax":
        if momentum_decay != 4e-3:
            raise ValueError(f'NAdam: momentum_decay={momentum_decay} has no place in form="optax"; leave it out')
        momentum = NesterovDebiased(betas[0])
    elif form in ("torch", "dozat"):
        momentum = NesterovSchedule(betas[0], momentum_decay, follow=form == "dozat")
    else:
        raise ValueError(f"NAdam: form={form!r} is unknown; known are torch, dozat, optax (and the recipe NAdamW)")
    core = chain(momentum, Precondition(Full(betas[1]), AddEps(eps)))
    if decoupled_weight_decay:
        return chain(core, Decay(weight_decay), Scale(lr))
    return chain(L2(weight_decay), core, Scale(lr))


@recipe(paper="Dozat 2016 in the AlgoPerf baseline's form", traits="elementwise rows scale_free")
def NAdamW(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
):
    """AdamW with a Nesterov average, the form that the AlgoPerf baselines run.

    m ← β₁ m + (1 − β₁) g;   u = ((β₁ m + (1 − β₁) g) / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε);   p ← p − lr (u + λ p)

    Its first step is 1 + β₁ times as long as Adam's.

    Args:
        lr: learning rate.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, decoupled.
    """
    return chain(
        Ema(betas[0], nesterov=True, debias=True),
        Precondition(Full(betas[1]), AddEps(eps)),
        Decay(weight_decay),
        Scale(lr),
    )


@recipe(paper="arXiv:2010.07468", traits="elementwise rows")
def AdaBelief(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-16,
    weight_decay: float = 0.0,
    rectify: bool = False,
):
    """Adam that trusts a gradient as far as it agrees with the average of those before.

    m ← β₁ m + (1 − β₁) g;   s ← β₂ s + (1 − β₂) (g − m)² + ε
    p ← p − lr · ((m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + ε) + λ p)

    ε is stored in s, so it gathers to ε / (1 − β₂), and appears once more outside the root, as in the authors' code.
    The authors' package rectifies as :class:`RAdam` does by default, which the paper does not. With ``rectify`` the
    first steps (five at β₂ = 0.999) are those of momentum SGD, and the later ones are r √(1 − β₂ᵗ) m̂ / (√s + ε).

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0 (1e-16 in the authors' code, which advises 1e-8 for convolutional networks).
        weight_decay: λ ≥ 0, decoupled.
        rectify: hold back while s varies much.
    """
    belief = Belief(betas[1], eps)
    divided = Rectify(Precondition(belief, EpsHat(eps)), betas[1]) if rectify else Precondition(belief, AddEps(eps))
    return chain(
        Ema(betas[0]),
        divided,
        Debias(betas[0]),
        Decay(weight_decay),
        Scale(lr),
    )
