"""Adafactor: a second moment in the space of its row and column means."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    Bare,
    ClipRms,
    ConfidentEma,
    Decay,
    Ema,
    Factored,
    FactoredEma,
    Precondition,
    RelativeDecay,
    RelativeStep,
    Scale,
)


@recipe(
    paper="arXiv:1804.04235",
    traits="scale_free relative reduces low_memory",
    signed="beta2_decay",
    torch_state={"row_var": "precondition.row", "col_var": "precondition.column", "variance": "precondition.v"},
)
def Adafactor(
    lr: float = 1e-2,
    beta2_decay: float = -0.8,
    eps: tuple[float, float] = (1e-30, 1e-3),
    d: float = 1.0,
    weight_decay: float = 0.0,
    momentum: float | None = None,
    relative_step: bool = True,
    scale_parameter: bool = True,
    form: Literal["paper", "torch"] = "paper",
):
    """Adam without a momentum, with a factored second moment and a step relative to the weights.

    β₂ₜ = 1 − t^c;   R, C ← averages of row and column means of g² + ε₁;   v̂ = R C / mean(R)
    u = g / √v̂;   u ← u / max(1, rms(u) / d)
    α = ρₜ max(ε₂, rms(p)),   ρₜ = min(lr, 1 / √t);   p ← p − α (u + λ p)

    Vectors keep all of v. A convolution is factored over its two largest dimensions, the channels. With ``momentum``
    the average is taken of α u, as in the paper, without correction. The published relative step 1e-2 is the default
    ``lr``: other than in most libraries, lr and its schedules always count.

    Args:
        lr: the cap of the relative step ρₜ, or ρ itself where ``relative_step`` is off.
        beta2_decay: c < 0 (the paper's −0.8).
        eps: ε₁, added to g²; and ε₂, the least rms(p).
        d: the threshold of update clipping, greater than 0.
        weight_decay: λ ≥ 0.
        momentum: β₁ in [0, 1), or ``None`` for none (the default: no full-size state).
        relative_step: let ρₜ fall as 1 / √t.
        scale_parameter: multiply by max(ε₂, rms(p)).
        form: ``"torch"`` takes what ``torch.optim.Adafactor`` does differently: ε₁ clamps mean(R) and √v̂, the last two
            dimensions are factored, and the decay is lr λ p.
    """
    if form not in ("paper", "torch"):
        raise ValueError(f"Adafactor: form={form!r} is unknown; known are paper, torch")
    if beta2_decay >= 0:
        raise ValueError(f"Adafactor: beta2_decay={beta2_decay:g} must be negative, such as -0.8")
    like_torch = form == "torch"
    moment = Factored(-beta2_decay, eps[0], clamp=like_torch, axes="last" if like_torch else "largest")
    step = RelativeStep(lr, eps[1], relative_step, scale_parameter)
    average = () if momentum is None else (Ema(momentum),)
    decay = Decay(lr * weight_decay) if like_torch else RelativeDecay(weight_decay, step)
    return chain(Precondition(moment, Bare()), ClipRms(d), step, *average, decay)


@recipe(paper="arXiv:2307.02047", traits="reduces scale_free")
def CAME(
    lr: float = 2e-4,
    betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
    eps: tuple[float, float] = (1e-30, 1e-16),
    clip_threshold: float = 1.0,
    weight_decay: float = 0.0,
    debias: bool = False,
):
    """Adafactor with a momentum, divided by a factored estimate of how unsteady the update is.

    R, C ← averages of row and column means of g² + ε₁ at the rate β₂;   u = g / √(R C / mean R)
    u ← u / max(1, rms(u) / d);   m ← β₁ m + (1 − β₁) u
    R', C' ← averages of (u − m)² + ε₂ alike at the rate β₃;   p ← p − lr (m / √(R' C' / mean R') + λ p)

    The state of a matrix is one number for each entry, each row and each column, twice of the latter. Vectors keep all
    of v and are not divided by their unsteadiness.

    None of the averages is corrected. u is clipped to its size from the first step on, which makes up for R and C, but
    R' and C' begin at zero: the first step of a matrix is 11 lr long, and along a gradient that stays, steps grow to
    49 lr, since a β₃ of 0.9999 needs ten thousand of them to fill. ``debias`` divides R' and C' by 1 − β₃ᵗ, for a first
    step of lr / 9; the published method does not.

    Deviation from the authors' code: it factors the last two dimensions, of a convolution the kernel; this one the two
    largest.

    Args:
        lr: learning rate (the authors' README; users report three to ten times less than AdamW's).
        betas: β₁, β₂, β₃ in [0, 1) (the authors').
        eps: ε₁ and ε₂ ≥ 0 (the authors').
        clip_threshold: d, the largest rms(u), greater than 0 (the authors').
        weight_decay: λ ≥ 0, decoupled.
        debias: correct the unsteadiness for its start from zero (ours).
    """
    return chain(
        Precondition(FactoredEma(betas[1], eps[0]), Bare()),
        ClipRms(clip_threshold),
        ConfidentEma(betas[0], betas[2], eps[1], debias),
        Decay(weight_decay),
        Scale(lr),
    )
