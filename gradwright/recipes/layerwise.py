"""Layer-wise methods: the step is as long as the tensor it moves."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import AddEps, Decay, Ema, Full, HeavyBall, LayerRate, Precondition, Scale, TrustRatio
from gradwright.transforms.moment.full import Uncorrected

LAYERS = "!vector & !scalar"
"""What decays and is scaled: the methods' authors leave out biases and gains, by name."""


@recipe(paper="arXiv:1904.00962", traits="scale_free relative reduces")
def Lamb(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 1e-2,
    bias_correction: bool = True,
    clip: tuple[float, float] | None = None,
):
    """Adam's direction with decay inside, made as long as the tensor: large batches keep their step size.

    r = (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε);   u = r + λ p;   p ← p − lr · φ(‖p‖) / ‖u‖ · u

    The ratio is 1 where either norm is zero. Vectors (biases, gains) neither decay nor are scaled, as in the authors'
    code, which excludes them by name. Deviations: unlike apex and timm, the ratio also applies at λ = 0 and no gradient
    is clipped inside; the authors' code omits the bias correction that the paper has, which
    ``bias_correction=False`` does too.

    Args:
        lr: learning rate, relative to ‖p‖.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0.
        bias_correction: the paper's; without it r = m / (√v + ε), the first code's (ALBERT).
        clip: (γₗ, γᵤ) of φ(x) = min(max(x, γₗ), γᵤ), such as (0, 10); ``None``, as in all public code, for φ(x) = x.
    """
    moment = Full(betas[1]) if bias_correction else Uncorrected(Full(betas[1]))
    return chain(
        Ema(betas[0], debias=bias_correction),
        Precondition(moment, AddEps(eps)),
        Decay(weight_decay, only=LAYERS),
        TrustRatio(LAYERS, clip=clip),
        Scale(lr),
    )


@recipe(paper="arXiv:1708.03888", traits="reduces coupled_decay")
def Lars(
    lr: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    trust_coefficient: float = 1e-3,
    nesterov: bool = False,
    form: Literal["paper", "simclr", "popular", "timm"] = "paper",
):
    """Momentum with a learning rate for each layer, in proportion to its weights over its gradient.

    r = η ‖p‖ / (‖g‖ + λ ‖p‖);   m ← μ m + lr · r (g + λ p);   p ← p − m                ``form="paper"``
    d = g + λ p;   r = η ‖p‖ / ‖d‖;   m ← μ m + lr · r d;   p ← p − m                   ``form="simclr"``, optax
    d = g + λ p;   m ← μ m + d;   p ← p − lr · η ‖p‖ / ‖m‖ · m                          ``form="popular"``
    r as in the paper;   m ← μ m + r (g + λ p);   p ← p − lr m                          ``form="timm"``

    With ``nesterov`` μ m + what m was given last stands for m in the step. At a constant lr ``"paper"`` and ``"timm"``
    are the same; while lr changes, as in a warm-up, a buffer that holds it lags behind. ``"popular"`` is SimCLR's
    ``classic_momentum=False``.

    r is 1 where ‖p‖ or ‖g‖ is zero. Vectors (biases, gains) neither decay nor are scaled. Deviations: there is no ε
    beside the norms (timm has 1e-8); the rate also applies at λ = 0, where timm's does not; timm's ``trust_clip``
    (LARC) is left out.

    Args:
        lr: learning rate (timm's default).
        momentum: μ in [0, 1) (the paper's).
        weight_decay: λ ≥ 0 (the paper's).
        trust_coefficient: η ≥ 0 (the paper's).
        nesterov: look one step ahead.
        form: which of the four.
    """
    if form not in ("paper", "simclr", "popular", "timm"):
        raise ValueError(f"Lars: form={form!r} is unknown; known are paper, simclr, popular, timm")
    memory, size = HeavyBall(momentum, nesterov=nesterov), Scale(lr)
    decay, ratio = Decay(weight_decay, only=LAYERS), TrustRatio(LAYERS, trust_coefficient)
    rate = LayerRate(trust_coefficient, weight_decay, LAYERS)
    return {
        "paper": chain(rate, size, memory),
        "simclr": chain(decay, ratio, size, memory),
        "popular": chain(decay, memory, ratio, size),
        "timm": chain(rate, memory, size),
    }[form]
