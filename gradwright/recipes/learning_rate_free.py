"""Methods that find their own step size: from an estimate of the distance to the solution, or from the way gone."""

from __future__ import annotations

from gradwright import transforms as parts
from gradwright.core import Chain, Transform, chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    Decay,
    DistanceOverGradients,
    DistanceStep,
    PolynomialDecay,
    WeightAverage,
    WeightedDistance,
)
from gradwright.transforms.step.adaptation import UNLIMITED


def _growth(name: str, growth_rate: float | None) -> float:
    if growth_rate is not None and growth_rate < 1:
        raise ValueError(f"{name}: growth_rate={growth_rate:g} must be at least 1, or None for no limit")
    return UNLIMITED if growth_rate is None else growth_rate


def _with_decay(direction: Transform, weight_decay: float, decoupled: bool) -> Chain:
    if decoupled:
        return chain(direction, direction.paced(Decay(weight_decay)))
    return chain(L2(weight_decay), direction)


@recipe(paper="arXiv:2306.06101", traits="scale_free reduces shared totals")
def Prodigy(
    lr: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    beta3: float | None = None,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = True,
    use_bias_correction: bool = False,
    safeguard_warmup: bool = False,
    d0: float = 1e-6,
    d_coef: float = 1.0,
    growth_rate: float | None = None,
    slice_p: int = 1,
):
    """Adam that learns the size of its step: an estimate d of the distance to the solution, which never falls.

    λ = lr d [· √(1 − β₂ᵗ) / (1 − β₁ᵗ)];   r ← β₃ r + (d / d₀) λ ⟨g, x₀ − p⟩;   s ← β₃ s + (d / d₀) λ g
    m ← β₁ m + (1 − β₁) d g;   v ← β₂ v + (1 − β₂) d² g²;   d̂ = d_coef · r / ‖s‖₁
    d⁺ = the largest d̂ so far, but at most growth_rate · d;   p ← p − λ (m / (√v + d⁺ ε) + w p)

    There is one d for all groups, found in the state as ``prodigy_d``. The authors advise no schedule, or a cosine
    without restarts; with a warm-up ``safeguard_warmup``; at small batches or for diffusion models
    ``use_bias_correction``.

    Deviations from the authors' code: lr may differ from group to group; each parameter is corrected for its own age;
    at lr = 0 the moments go on; state is float32 at least, since d g of 1e-6 times a gradient vanishes in float16.
    Weights in a half type cannot follow steps of 1e-6 either, and d does not grow while they rest: keep them in
    float32, or take a larger d0.

    Args:
        lr: a multiplier; leave it at 1 and let a schedule lower it.
        betas: β₁, β₂ in [0, 1) (the authors').
        beta3: β₃ in [0, 1), or ``None`` for √β₂ (the authors').
        eps: ε ≥ 0.
        weight_decay: w ≥ 0.
        decoupled_weight_decay: decay as AdamW does; otherwise an L2 penalty.
        use_bias_correction: correct λ for the start of m and v from zero.
        safeguard_warmup: let s gather d instead of λ, so that a warm-up of lr does not inflate d̂.
        d0: d₀ > 0, the first d; too small costs a few steps, too large may diverge.
        d_coef: > 0; the authors advise this where d must be changed, between 0.5 and 2.
        growth_rate: ≥ 1, or ``None`` for no limit; 1.02 is a warm-up.
        slice_p: estimate d from every so many-th entry only, which saves memory; the authors use 11.
    """
    step = DistanceStep(lr, *betas, debias=use_bias_correction)
    direction = parts.Prodigy(
        step,
        betas[1] ** 0.5 if beta3 is None else beta3,
        eps,
        d0,
        d_coef,
        _growth("Prodigy", growth_rate),
        safeguard_warmup,
        slice_p,
    )
    return _with_decay(direction, weight_decay, decoupled_weight_decay)


@recipe(paper="arXiv:2301.07733", traits="scale_free reduces shared totals coupled_decay")
def DAdaptAdam(
    lr: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    use_bias_correction: bool = False,
    d0: float = 1e-6,
    growth_rate: float | None = None,
):
    """Adam whose step size is learned by D-Adaptation.

    λ = lr d [· √(1 − β₂ᵗ) / (1 − β₁ᵗ)];   q = √β₂
    r ← q r + (1 − q) λ ⟨g, s / (√v + ε)⟩;   s ← q s + (1 − q) λ g;   d̂ = r / ((1 − q) ‖s‖₁)
    m ← β₁ m + (1 − β₁) λ g;   v ← β₂ v + (1 − β₂) g²
    d ← max(d, min(d̂, growth_rate · d));   p ← p − m / (√v + ε) − λ w p

    There is one d for all groups, found in the state as ``dadapt_adam_d``. This is the present release of the authors'
    code; the paper's algorithm takes the newer v in r. A schedule is still needed and multiplies lr. Deviations as in
    :class:`Prodigy`.

    Args:
        lr: a multiplier; leave it at 1 and let a schedule lower it.
        betas: β₁, β₂ in [0, 1) (the authors').
        eps: ε ≥ 0, outside the root.
        weight_decay: w ≥ 0.
        decoupled_weight_decay: decay as AdamW does; otherwise an L2 penalty (the authors' default).
        use_bias_correction: correct λ for the start of m and v from zero.
        d0: d₀ > 0, the first d.
        growth_rate: ≥ 1, or ``None`` for no limit; 1.02 is a warm-up.
    """
    step = DistanceStep(lr, *betas, debias=use_bias_correction)
    direction = parts.DAdaptAdam(step, eps, d0, _growth("DAdaptAdam", growth_rate))
    return _with_decay(direction, weight_decay, decoupled_weight_decay)


@recipe(paper="arXiv:2301.07733", traits="scale_free reduces shared totals coupled_decay")
def DAdaptSGD(
    lr: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    d0: float = 1e-6,
    growth_rate: float | None = None,
):
    """SGD whose step size is learned by D-Adaptation.

    λ = lr d / ‖g₁‖;   r ← r + λ ⟨g, s⟩;   s ← s + λ g;   d̂ = 2 r / ‖s‖;   d ← max(d, min(d̂, growth_rate · d))
    z = x₀ − s;   p ← μ p + (1 − μ) z

    There is one d for all groups, found in the state as ``dadapt_sgd_d``. Deviations from the authors' code: z is not
    stored; ‖g₁‖ includes the penalty, and is that of the first gradient that is not zero; lr may differ from group to
    group.

    Args:
        lr: a multiplier; leave it at 1 and let a schedule lower it.
        momentum: μ in [0, 1) (0.9 in the paper's experiments; the authors' code has 0).
        weight_decay: ≥ 0, an L2 penalty.
        d0: d₀ > 0, the first d.
        growth_rate: ≥ 1, or ``None`` for no limit.
    """
    return chain(L2(weight_decay), parts.DAdaptSGD(lr, momentum, d0, _growth("DAdaptSGD", growth_rate)))


@recipe(paper="arXiv:2302.12022", traits="scale_free reduces shared totals averages coupled_decay")
def DoG(
    lr: float = 1.0,
    reps_rel: float = 1e-6,
    weight_decay: float = 0.0,
    eps: float = 1e-8,
    gamma: float = 8.0,
):
    """SGD with the distance gone over the root of all squared gradients as its step, evaluated at an average.

    r̄ ← max(r̄, ‖p − x₀‖), at first reps_rel (1 + ‖x₀‖);   G ← G + ‖g‖²;   p ← p − lr r̄ / √(G + ε) · g
    x̄ ← (1 − c) x̄ + c p,   c = (1 + γ) / (t + γ)

    Norms are over all parameters of all groups. The step does not fall to zero, so the average is part of the method:
    evaluate, and save weights to keep, at x̄: ``with optimizer.evaluating(): ...``. BatchNorm statistics belong to p;
    recompute them at x̄ (:func:`gradwright.training.recompute_batch_norm`).

    Args:
        lr: a multiplier; the authors advise to leave it at 1.
        reps_rel: the first distance, relative to 1 + ‖x₀‖ (the authors'; 1e-4 with BatchNorm).
        weight_decay: ≥ 0, an L2 penalty.
        eps: ε ≥ 0.
        gamma: γ ≥ 0 of the average (the authors').
    """
    return chain(L2(weight_decay), DistanceOverGradients(lr, reps_rel, eps), WeightAverage(PolynomialDecay(gamma)))


@recipe(paper="arXiv:2302.12022", traits="scale_free reduces averages coupled_decay")
def LDoG(
    lr: float = 1.0,
    reps_rel: float = 1e-6,
    weight_decay: float = 0.0,
    eps: float = 1e-8,
    gamma: float = 8.0,
):
    """DoG with a distance, a sum of squared gradients and so a step size of its own for each tensor.

    For every tensor: r̄ ← max(r̄, ‖p − x₀‖), at first reps_rel (1 + ‖x₀‖);   G ← G + ‖g‖²
    p ← p − lr r̄ / √(G + ε) · g;   x̄ as in :class:`DoG`, which see.

    Args:
        lr: a multiplier; the authors advise to leave it at 1.
        reps_rel: the first distance, relative to 1 + ‖x₀‖ (the authors'; 1e-4 with BatchNorm).
        weight_decay: ≥ 0, an L2 penalty.
        eps: ε ≥ 0.
        gamma: γ ≥ 0 of the average (the authors').
    """
    size = DistanceOverGradients(lr, reps_rel, eps, layerwise=True)
    return chain(L2(weight_decay), size, WeightAverage(PolynomialDecay(gamma)))


@recipe(paper="arXiv:2305.16284", traits="scale_free reduces shared totals coupled_decay")
def DoWG(lr: float = 1.0, d0: float = 1e-2, weight_decay: float = 0.0, eps: float = 1e-4):
    """DoG whose sum weighs each squared gradient with the distance at which it was met.

    r² ← max(r², ‖p − x₀‖²), at first d₀²;   V ← V + r² ‖g‖²;   p ← p − lr r² / (√V + ε) · g

    Norms are over all parameters of all groups. The paper's guarantee is for smooth convex losses and an average; for
    one take ``gradwright.polynomial_averaged(DoWG)``. On networks r̄ may grow too far, where that of :class:`DoG` does
    not: look at ``dowg_distance2`` in the state.

    Args:
        lr: a multiplier; leave it at 1.
        d0: d₀ > 0, the first distance (optax starts with r² = 1e-4).
        weight_decay: ≥ 0, an L2 penalty.
        eps: ε ≥ 0 (optax's).
    """
    return chain(L2(weight_decay), WeightedDistance(lr, d0, eps))
