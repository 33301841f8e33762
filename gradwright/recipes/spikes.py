"""SPAM and Stable-SPAM: training through spikes of the gradient."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    AddEps,
    ClipPeaks,
    ClipSpikes,
    Decay,
    Ema,
    EpsHat,
    Full,
    Precondition,
    Restart,
    RestartWarmup,
    Scale,
    SteadyNorm,
)


@recipe(paper="arXiv:2501.06842", traits="elementwise scale_free")
def SPAM(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    threshold: float = 5000.0,
    reset_every: int = 500,
    wait: int = 20,
    warmup: int = 150,
):
    """Adam that clips single entries far beyond what they have been, and forgets its averages from time to time.

    g ← sign(g) √(θ v) where g² > θ v > 0, but for the first steps and those after a restart;   m, v as in Adam
    W ← (W − lr w √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)) (1 − lr λ)

    Every ``reset_every`` steps m and v become zero, and w begins at 0.01 and goes to 1 along a cosine. t goes on, so
    that right after a restart Adam's step would be up to √10 long: w hides it.

    Deviations from the authors' code: an entry that never had a gradient is not clipped to zero for ever; steps are
    counted by parameter. Its sparse training of a random share of each matrix is left out.

    Args:
        lr: learning rate (the authors').
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, before the correction (the authors').
        weight_decay: λ ≥ 0, of the weights after the step.
        threshold: θ ≥ 0, of g² over v (the authors').
        reset_every: steps between two restarts, at least 1 (the authors').
        wait: steps without a clip (the authors').
        warmup: steps until w is 1 (the authors').
    """
    adam = chain(Ema(betas[0], debias=True), Precondition(Full(betas[1]), EpsHat(eps)))
    return chain(
        ClipSpikes(Restart(adam, reset_every, age=False), threshold, reset_every, wait),
        RestartWarmup(reset_every, warmup),
        Scale(lr),
        Decay(lr * weight_decay, after=True, lr_power=1),
    )


@recipe(paper="arXiv:2502.17055", traits="scale_free reduces")
def StableSPAM(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    gammas: tuple[float, float] = (0.7, 0.9),
    theta: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    reset_every: int = 1000,
):
    """AdamW behind two clips that follow what is usual, and with restarts: made for training in four bits.

    M ← θ M + (1 − θ) max|g|;   g ← g M̂ / max|g| where |g| > M̂
    a ← γ₁ a + (1 − γ₁) ‖g‖;   b ← γ₂ b + (1 − γ₂) ‖g‖²;   g ← g / ‖g‖ · â / (√b̂ + ε)
    m and v of AdamW become zero every ``reset_every`` steps, and their correction begins anew

    The hat is the correction for a start from zero. A schedule of β₁ and γ₁ along a cosine, which the authors' code has
    as an option, is one of ``betas`` and ``gammas`` of the group.

    Deviations from the authors' code: there the step of a restart still uses the old averages, corrected as if they
    were new, and zeros come into use one step later, corrected as if they were two steps old: steps of 1.9 and 0.74 lr
    along a gradient that stays; and the ages by which M, a and b are corrected begin anew although these do not.

    Args:
        lr: learning rate (the authors').
        betas: β₁, β₂ in [0, 1).
        gammas: γ₁, γ₂ in [0, 1) (the authors').
        theta: θ in [0, 1) (the authors').
        eps: ε ≥ 0, in both places.
        weight_decay: λ ≥ 0, decoupled.
        reset_every: steps between two restarts, at least 1 (the authors').
    """
    adam = chain(Ema(betas[0], debias=True), Precondition(Full(betas[1]), AddEps(eps)))
    return chain(
        ClipPeaks(theta),
        SteadyNorm(gammas[0], gammas[1], eps),
        Restart(adam, reset_every),
        Decay(weight_decay),
        Scale(lr),
    )
