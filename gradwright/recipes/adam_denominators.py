"""Adam with other denominators: where ε stands, what replaces it, and which moment is divided by."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AddEps,
    Atan2,
    Bare,
    Decay,
    Ema,
    Full,
    FullPlusEps,
    InfinityNorm,
    KeepZero,
    MaxOverTime,
    Power,
    Precondition,
    Scale,
    Softplus,
    Uncorrected,
)


@recipe(paper="https://openreview.net/forum?id=ryQu7f-RZ", traits="elementwise rows scale_free coupled_decay")
def AMSGrad(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    form: Literal["raw", "corrected", "paper"] = "raw",
):
    """Adam that divides by the largest second moment so far, in the three forms in circulation.

    g ← g + λ p;   m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²
    raw:        w ← max(w, v);                u = (m / (1 − β₁ᵗ)) / (√(w / (1 − β₂ᵗ)) + ε)
    corrected:  w ← max(w, v / (1 − β₂ᵗ));    u = (m / (1 − β₁ᵗ)) / (√w + ε)
    paper:      w ← max(w, v);                u = m / (√w + ε)
    p ← p − lr u

    ``"raw"`` is torch's, and ``Adam(amsgrad=True)``: it is Adam until v falls for the first time, with β₂ = 0.999
    usually after hundreds of steps. ``"corrected"`` is optax's and binds from the second step on. The paper has no
    correction at all, so that its first step is 3.16 times Adam's. It writes no ε either: that is eps=0, where an entry
    whose gradients have all been zero stays where it is.

    Args:
        lr: learning rate (torch's default; the paper tunes it).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, an L2 penalty.
        form: which of the three.
    """
    if form not in ("raw", "corrected", "paper"):
        raise ValueError(f"AMSGrad: form={form!r} is unknown; known are raw, corrected, paper")
    if form == "paper":
        divided = Precondition(MaxOverTime(Uncorrected(Full(betas[1]))), KeepZero(AddEps(eps)))
    else:
        divided = Precondition(MaxOverTime(Full(betas[1]), corrected=form == "corrected"), AddEps(eps))
    return chain(L2(weight_decay), Ema(betas[0], debias=form != "paper"), divided, Scale(lr))


@recipe(
    paper="arXiv:1412.6980",
    traits="elementwise rows scale_free coupled_decay",
    torch_state={"exp_avg": "ema.m", "exp_inf": "precondition.r"},
)
def Adamax(
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
):
    """Adam in the infinity norm, from the same paper: divided by a decaying maximum of the gradient's size.

    g ← g + λ p;   m ← β₁ m + (1 − β₁) g;   r ← max(β₂ r, |g| + ε);   p ← p − lr · (m / (1 − β₁ᵗ)) / r

    The paper has no ε; here it stands where torch has it.

    Args:
        lr: learning rate (the paper's default, and torch's).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0, an L2 penalty.
    """
    return chain(
        L2(weight_decay), Ema(betas[0], debias=True), Precondition(InfinityNorm(betas[1], eps), Bare()), Scale(lr)
    )


@recipe(paper="arXiv:2011.02150", traits="elementwise rows scale_free coupled_decay")
def EAdam(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    form: Literal["stored", "averaged"] = "stored",
):
    """Adam whose ε is stored in the second moment at every step instead of added to its root.

    m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g² + ε;   p ← p − lr · (m / (1 − β₁ᵗ)) / √(v / (1 − β₂ᵗ))

    The denominator is at least √(ε / (1 − β₂)), 3.2e-3 at the defaults, where Adam's is 1e-8: ε has to be chosen anew.
    With ``form="averaged"`` ε is added before the average, β₂ v + (1 − β₂) (g² + ε), for a floor of √ε.

    Deviation from the authors' code: its ``amsgrad`` branch is plain AMSGrad with ε outside; this one keeps ε in v.

    Args:
        lr: learning rate.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, inside the moment (the paper's).
        weight_decay: λ ≥ 0, an L2 penalty.
        amsgrad: divide by the largest v so far.
        form: where ε enters.
    """
    if form not in ("stored", "averaged"):
        raise ValueError(f"EAdam: form={form!r} is unknown; known are stored, averaged")
    moment = FullPlusEps(betas[1], eps, averaged=form == "averaged")
    return chain(
        L2(weight_decay),
        Ema(betas[0], debias=True),
        Precondition(MaxOverTime(moment) if amsgrad else moment, Bare()),
        Scale(lr),
    )


@recipe(paper="arXiv:1908.00700", traits="elementwise rows coupled_decay")
def SAdam(
    lr: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 0.0,
    weight_decay: float = 0.0,
    smooth: float = 50.0,
    amsgrad: bool = False,
    form: Literal["authors", "ranger21"] = "authors",
):
    """Adam with a softplus of the root in place of ε; with ``amsgrad`` it is SAMSGrad.

    softplus(x) = log(1 + e^(s x)) / s;   m and v as in Adam
    authors:   p ← p − lr · √(1 − β₂ᵗ) (m / (1 − β₁ᵗ)) / softplus(√v + ε)
    ranger21:  p ← p − lr · (m / (1 − β₁ᵗ)) / softplus(√(v / (1 − β₂ᵗ)) + ε)

    These are two optimizers. In the authors' form the softplus sees the uncorrected root, about 0.03 |g| at the first
    step, so that its floor ln 2 / s rules early training: a built-in warm-up that depends on the gradient's size.

    Deviation from the authors' code: there ``amsgrad`` is on by default. The learning rates of the paper are not
    reproduced here; 0.1 is the code's default, for networks of images.

    Args:
        lr: learning rate (the authors' code's default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, inside the softplus (none in paper and code; 1e-8 in Ranger21).
        weight_decay: λ ≥ 0, an L2 penalty.
        smooth: s, greater than 0 (50 in paper and code).
        amsgrad: divide by the largest v so far.
        form: what the softplus is taken of.
    """
    if form not in ("authors", "ranger21"):
        raise ValueError(f"SAdam: form={form!r} is unknown; known are authors, ranger21")
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    denominator = Softplus(smooth, corrected=form == "ranger21", eps=eps)
    return chain(L2(weight_decay), Ema(betas[0], debias=True), Precondition(moment, denominator), Scale(lr))


@recipe(paper="arXiv:2407.05872", traits="elementwise rows scale_free")
def AdamAtan2(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 1e-2,
    a: float = 1.0,
    b: float = 1.0,
):
    """AdamW with an arctangent in place of division and ε: exactly scale-free, and every step is bounded.

    m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²
    p ← p − lr · (a atan2(m / (1 − β₁ᵗ), b √(v / (1 − β₂ᵗ))) + λ p)

    |u| ≤ a π / 2, and 0 where all gradients have been zero. Two settings are published: a = b = 1 with the other
    defaults here (the CUDA package ``adam-atan2``), where the first step is π / 4; and a = 1.27 ≈ 4 / π, b = 1,
    betas=(0.9, 0.99), lr=1e-4, weight_decay=0 (``adam-atan2-pytorch``), where it is 1 and learning rates are AdamW's.
    There is no code by the authors, and which constants they used is uncertain.

    Args:
        lr: learning rate.
        betas: β₁, β₂ in [0, 1).
        weight_decay: λ ≥ 0, decoupled.
        a: scale, greater than 0.
        b: bend, greater than 0; as a = b grows, the step becomes AdamW's without ε.
    """
    return chain(Ema(betas[0], debias=True), Precondition(Full(betas[1]), Atan2(a, b)), Decay(weight_decay), Scale(lr))


@recipe(paper="arXiv:1806.06763", traits="elementwise rows coupled_decay")
def Padam(
    lr: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    partial: float = 0.25,
    amsgrad: bool = True,
):
    """Partially adaptive Adam: a power of the root between that of SGD and Adam's own.

    g ← g + λ p;   m and v as in Adam;   p ← p − lr · √(1 − β₂ᵗ) (m / (1 − β₁ᵗ)) / (√v + ε)^(2 q)

    q = ½ is Adam, q → 0 SGD with momentum, and the learning rate lies between theirs.

    Args:
        lr: learning rate (the authors').
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, added before the correction.
        weight_decay: λ ≥ 0, an L2 penalty.
        partial: q in (0, ½] (the authors' code; ⅛ in the paper).
        amsgrad: divide by the largest v so far (the authors').
    """
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    divided = Precondition(moment, Power(partial, eps))
    return chain(L2(weight_decay), Ema(betas[0], debias=True), divided, Scale(lr))
