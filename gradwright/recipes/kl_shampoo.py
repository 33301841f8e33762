"""KL-Shampoo and KL-SOAP: factors that are fitted to each other."""

from __future__ import annotations

from gradwright.core import Chain, chain
from gradwright.optimizer.recipe import recipe
from gradwright.recipes.muon import MATRICES
from gradwright.transforms import Decay, KullbackLeibler, RestFirst, Scale


def _stepping(direction: KullbackLeibler, lr: float, weight_decay: float) -> Chain:
    return chain(direction, Scale(lr), Decay(lr * weight_decay, after=True, lr_power=1), RestFirst())


@recipe(paper="arXiv:2509.03378", traits="reduces matrix", only=MATRICES)
def KLShampoo(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.98),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    precondition_frequency: int = 10,
):
    """Shampoo with a root of one half on each side and without a graft, since each side sees what the other whitens.

    L ← β₂ L + (1 − β₂) G R̄⁻¹ Gᵀ / m,   R alike;   U = L̄^−½ m R̄^−½, m as in Adam and not corrected;   W ← (W − lr
    U)(1 − lr λ)

    L̄ and R̄ have running eigenvalues along vectors that a QR decomposition turns every few steps, and that begin at
    0.1. A parameter's first step only makes L, R and their eigenvectors. State of an n × m matrix: m, 2 (n² + m²) + n +
    m numbers, one moment less than SOAP. Vectors, embeddings and heads belong to another recipe.

    Deviations from the authors' code: computed in float32 where theirs is in bfloat16 by default.

    Args:
        lr: learning rate (the authors' 1e-4 is for their runs).
        betas: β₁ of m, β₂ of the factors, in [0, 1) (the authors').
        eps: ε ≥ 0, beside the product of both roots (the authors').
        weight_decay: λ ≥ 0, of the weights after the step (the authors').
        precondition_frequency: steps between two QR decompositions, at least 1 (the authors').

    Raises:
        ValueError: a parameter is not a matrix.
    """
    return _stepping(KullbackLeibler(betas[0], betas[1], betas[1], eps, precondition_frequency), lr, weight_decay)


@recipe(paper="arXiv:2509.03378", traits="reduces matrix", only=MATRICES)
def KLSOAP(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.98),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    precondition_frequency: int = 10,
    shampoo_beta: float | None = None,
):
    """SOAP in the eigenvectors of factors that are fitted to each other, and without correction.

    L, R and Q as in :class:`KLShampoo`;   m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) (Q_Lᵀ G Q_R)²
    U = Q_L (Q_Lᵀ m Q_R / (√v + ε)) Q_Rᵀ;   W ← (W − lr U)(1 − lr λ)

    As in the authors' code neither average is corrected: the second step, which is the first that moves, is
    (1 − β₁) / √(1 − β₂) of lr long. Other libraries' forms correct them and turn Q at every step.

    Args:
        lr: learning rate (the authors' 1e-4 is for their runs).
        betas: β₁ of m, β₂ of v, in [0, 1) (the authors').
        eps: ε ≥ 0, outside the root (the authors').
        weight_decay: λ ≥ 0, of the weights after the step (the authors').
        precondition_frequency: steps between two QR decompositions, at least 1 (the authors').
        shampoo_beta: the rate of the factors in [0, 1), or ``None`` for β₂.

    Raises:
        ValueError: a parameter is not a matrix.
    """
    rate = betas[1] if shampoo_beta is None else shampoo_beta
    return _stepping(
        KullbackLeibler(betas[0], betas[1], rate, eps, precondition_frequency, adam=True), lr, weight_decay
    )
