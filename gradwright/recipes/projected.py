"""AdamP and SGDP: no step along weights whose length does not matter."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import AddEps, Ema, Full, HeavyBall, Precondition, ProjectedDecay, Scale


@recipe(paper="arXiv:2006.08217", traits="reduces")
def AdamP(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    delta: float = 0.1,
    wd_ratio: float = 0.1,
    nesterov: bool = False,
):
    """Adam without the part of its step that only makes weights in front of a normalisation longer.

    m and v as in Adam;   u = m̂ / (√v̂ + ε), or ((1 − β₁) g + β₁ m) / (1 − β₁ᵗ) for m̂ with ``nesterov``
    where |cos(g, p)| < δ / √n of every row, or else of the whole tensor:   u ← u − ⟨u, p̂⟩ p̂, λ ← ω λ
    p ← p − lr (u + λ p)

    Whether the length of weights matters is told by the gradient, which stands at right angles to them where it does
    not. One row that does not is enough to let the whole tensor be asked.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root, and the least length by which weights and gradients are divided.
        weight_decay: λ ≥ 0, decoupled.
        delta: δ ≥ 0 (the authors').
        wd_ratio: ω ≥ 0 (the authors').
        nesterov: look one step ahead.
    """
    average = Ema(betas[0], nesterov=nesterov, debias=True)
    projected = ProjectedDecay(weight_decay, delta, wd_ratio, eps)
    return chain(average, Precondition(Full(betas[1]), AddEps(eps)), projected, Scale(lr))


@recipe(paper="arXiv:2006.08217", traits="reduces low_memory")
def SGDP(
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    delta: float = 0.1,
    wd_ratio: float = 0.1,
    nesterov: bool = False,
    eps: float = 1e-8,
):
    """SGD with momentum without the part of its step that only makes weights in front of a normalisation longer.

    m ← μ m + g;   u = m, or g + μ m with ``nesterov``
    where |cos(g, p)| < δ / √n of every row, or else of the whole tensor:   u ← u − ⟨u, p̂⟩ p̂, λ ← ω λ
    p ← p − lr (u + λ / (1 − μ) p)

    Deviations from the authors' code: there the momentum that is kept is projected too, which its paper does not do;
    no dampening; a momentum of 0.9 for its 0, since the decay is made for one.

    Args:
        lr: learning rate (the authors' code asks for one).
        momentum: μ in [0, 1).
        weight_decay: λ ≥ 0, decoupled, divided by 1 − μ as an L2 penalty would come to.
        delta: δ ≥ 0 (the authors').
        wd_ratio: ω ≥ 0 (the authors').
        nesterov: look one step ahead.
        eps: ε ≥ 0, the least length by which weights and gradients are divided (the authors').
    """
    average = HeavyBall(momentum, nesterov=nesterov)
    return chain(average, ProjectedDecay(weight_decay / (1 - momentum), delta, wd_ratio, eps), Scale(lr))
