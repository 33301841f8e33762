"""AdamW²: AdamW whose step is held to a share of each matrix's spectral norm."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import AddEps, Ema, Full, Precondition, SpectralStep


@recipe(paper="arXiv:2505.21910", traits="scale_free reduces")
def AdamW2(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    tau: float = 1e-2,
    floor: float = 1e-3,
    iterations: int = 3,
):
    """AdamW for transformers without warm-up: no step adds more than a share τ to a matrix's largest singular value.

    u = (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε);   α = min(lr, τ σ₁(W) / σ₁(u));   W ← W − α (u + λ W)

    A sign-like u of an n × m matrix has σ₁ from √n + √m to √(n m), so that the cap binds while W is small. Vectors are
    AdamW's. Reconstructed from descriptions: the authors' code is not public. That each matrix has its own α, that it
    multiplies the decay too, and τ, are our reading; the floor is ours, without which a matrix of zeros never moves.

    Args:
        lr: the largest step; a schedule lowers it as usual.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0.
        tau: τ ≥ 0, the share of σ₁(W) that a step may add.
        floor: σ₁(W) counts as at least floor · √(larger side).
        iterations: power iterations at each step, at least 1; they go on from where the last step ended.
    """
    return chain(
        Ema(betas[0], debias=True),
        Precondition(Full(betas[1]), AddEps(eps)),
        SpectralStep(lr, tau, floor, weight_decay, iterations),
    )
