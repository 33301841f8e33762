"""Normalised descent: momentum of a fixed length."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import L2, Ema, Normalize, Scale


@recipe(paper="arXiv:2210.04319", traits="scale_free reduces coupled_decay")
def NSGDA(
    lr: float = 1e-3,
    momentum: float = 0.9,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    over: Literal["tensor", "all"] = "tensor",
):
    """Normalised gradient descent with momentum: every step has the length lr.

    g ← g + λ p;   m ← μ m + (1 − μ) g;   m̂ = m / (1 − μᵗ);   p ← p − lr m̂ / (‖m̂‖ + ε)

    The norm is that of each tensor (layer-wise), or with ``over="all"`` that of all of them, for one optimizer. For a
    game such as a GAN this is nSGDA: each player has an optimizer of its own and minimises its own loss; ascent is the
    sign of that loss. A single number moves by lr times a sign.

    Deviations: the paper says normalised stochastic gradient descent ascent with the layer-wise or the global norm, and
    was read in summaries only; that it is the momentum that is normalised, after its correction, and the decay, are
    reconstructed.

    Args:
        lr: learning rate, the length of a step.
        momentum: μ in [0, 1).
        eps: ε ≥ 0, outside the norm; 0 makes the step independent of the size of the gradient.
        weight_decay: λ ≥ 0, part of the gradient.
        over: ``"tensor"`` or ``"all"``.
    """
    return chain(L2(weight_decay), Ema(momentum, debias=True), Normalize(eps, over), Scale(lr))
