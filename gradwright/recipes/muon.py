"""Muon: momentum, orthogonalised."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.recipe import recipe
from gradwright.transforms import Decay, Ema, Orthogonalize, Scale, ShapeScale


@recipe(
    paper="https://kellerjordan.github.io/posts/muon",
    traits="scale_free matrix",
    torch_state={"momentum_buffer": "ema.m"},
    only="(matrix | convolution | stack) & !embedding & !head & !depthwise & !recurrent & !fused",
)
def Muon(
    lr: float = 2e-2,
    momentum: float = 0.95,
    weight_decay: float = 0.0,
    nesterov: bool = True,
    coefficients: str = "keller",
    adjust_lr: Literal["original", "match_rms_adamw"] = "original",
):
    """The orthogonal polar factor of a momentum, for the hidden matrices of a network.

    m ← μ m + (1 − μ) g;   u = (1 − μ) g + μ m with ``nesterov``, else m
    O ≈ U Vᵀ where u = U S Vᵀ, by five Newton-Schulz steps;   p ← p − lr (s O + λ p)
    s = √max(1, rows / columns), or 0.2 √max(rows, columns) with ``adjust_lr="match_rms_adamw"``

    Convolutions are flattened to (out, in · kh · kw), stacks of matrices treated one by one. Embeddings, heads, biases
    and gains belong to another recipe: see :func:`gradwright.route`. Deviations: computed in float32 (float64 for
    float64 parameters) where others use bfloat16; the gradient is scaled before its norm is taken, so that tiny
    gradients are not damped; a conv's scale is that of the flattened matrix.

    Args:
        lr: learning rate, in units of the spectral norm (Jordan's default); with ``match_rms_adamw`` that of AdamW.
        momentum: μ in [0, 1).
        weight_decay: λ ≥ 0, decoupled.
        nesterov: look one step ahead.
        coefficients: ``"keller"`` or ``"you"``; see ``COEFFICIENTS``.
        adjust_lr: how s depends on the shape.

    Raises:
        ValueError: a parameter is not a matrix.
    """
    return chain(
        Ema(momentum, nesterov=nesterov),
        Orthogonalize(coefficients),
        ShapeScale(adjust_lr),
        Decay(weight_decay),
        Scale(lr),
    )
