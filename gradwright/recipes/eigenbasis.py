"""SOAP: Adam in Shampoo's eigenbasis."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import Decay, EigenbasisAdam, RestFirst, Scale


@recipe(paper="arXiv:2409.11321", traits="scale_free")
def SOAP(
    lr: float = 3e-3,
    betas: tuple[float, float] = (0.95, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    shampoo_beta: float | None = None,
    precondition_frequency: int = 10,
    max_precond_dim: int = 10000,
    precondition_1d: bool = False,
):
    """Adam in the eigenbasis of Shampoo's preconditioner, which turns a little every few steps.

    L ← β L + (1 − β) G Gᵀ,   R ← β R + (1 − β) Gᵀ G;   Qₗ, Qᵣ near their eigenvectors, by QR every k steps
    G' = Qₗᵀ G Qᵣ;   M ← β₁ M + (1 − β₁) G;   V ← β₂ V + (1 − β₂) G'²
    U = √(1 − β₂ᵗ) / (1 − β₁ᵗ) · Qₗ (Qₗᵀ M Qᵣ / (√V + ε)) Qᵣᵀ;   W ← (W − lr U)(1 − lr λ)

    A tensor's first step only makes L, R and their eigenvectors: it moves nothing, and is not counted in t. A side
    larger than ``max_precond_dim`` keeps its axes, which is right for the words of an embedding. Vectors are Adam's.
    Convolutions have a Q for each dimension, as in the authors' code without ``merge_dims``. State: 2 (n² + m²) / (n m)
    numbers for each parameter of an n × m matrix beside the two of Adam.

    Deviations from the authors' code: M is kept unrotated, which is the same; QR and eigenvectors are computed in
    float64 for float64 parameters.

    Args:
        lr: learning rate (the authors').
        betas: β₁, β₂ in [0, 1) (the authors').
        eps: ε ≥ 0, added to √V before the correction.
        weight_decay: λ ≥ 0, of the weights after the step (the authors').
        shampoo_beta: β of L and R in [0, 1), or ``None`` for β₂.
        precondition_frequency: k ≥ 1 steps between two QR decompositions.
        max_precond_dim: the largest side that has a Q, at least 1.
        precondition_1d: give vectors a Q too.
    """
    gram_beta = betas[1] if shampoo_beta is None else shampoo_beta
    rotated = EigenbasisAdam(
        betas[0], betas[1], gram_beta, eps, precondition_frequency, max_precond_dim, precondition_1d
    )
    return chain(rotated, Scale(lr), Decay(lr * weight_decay, after=True, lr_power=1), RestFirst())
