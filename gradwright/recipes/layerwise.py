"""Layer-wise methods: the step is as long as the tensor it moves."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.recipe import recipe
from gradwright.transforms import AddEps, Decay, Ema, Full, Precondition, Scale, TrustRatio


@recipe(paper="arXiv:1904.00962", traits="scale_free relative reduces")
def Lamb(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 1e-2,
):
    """Adam's direction with decay inside, made as long as the tensor: large batches keep their step size.

    r = (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε);   u = r + λ p;   p ← p − lr · ‖p‖ / ‖u‖ · u

    The ratio is 1 where either norm is zero. Vectors (biases, gains) neither decay nor are scaled, as in the authors'
    code, which excludes them by name. Deviations: unlike apex and timm, the ratio also applies at λ = 0 and no gradient
    is clipped inside; the authors' code omits the bias correction that the paper has.

    Args:
        lr: learning rate, relative to ‖p‖.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0.
    """
    return chain(
        Ema(betas[0], debias=True),
        Precondition(Full(betas[1]), AddEps(eps)),
        Decay(weight_decay, only="!vector & !scalar"),
        TrustRatio(only="!vector & !scalar"),
        Scale(lr),
    )
