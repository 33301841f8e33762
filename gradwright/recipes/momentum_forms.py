"""Other momenta than the heavy ball: quasi-hyperbolic ones, and several at once."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AddEps,
    AggregateMomentum,
    Decay,
    Ema,
    Full,
    Precondition,
    QuasiHyperbolic,
    QuasiSquare,
    Scale,
    TwoSpeed,
)


@recipe(paper="arXiv:1810.06801", traits="elementwise rows coupled_decay low_memory")
def QHM(
    lr: float = 0.1,
    momentum: float = 0.999,
    nu: float = 0.7,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
):
    """Quasi-hyperbolic momentum: an average of the gradients and the gradient itself, in fixed shares.

    g ← g + λ p;   m ← β m + (1 − β) g;   p ← p − lr (ν m + (1 − ν) g)

    ν = 0 is SGD, ν = 1 SGD with an average for its momentum, of which a step is 1 − β times that of torch's sum. With
    ν = β it is Nesterov's.

    Args:
        lr: learning rate (ours: the authors' code asks for one).
        momentum: β in [0, 1) (the paper's rule of thumb).
        nu: ν in [0, 1] (the paper's rule of thumb).
        weight_decay: λ ≥ 0, an L2 penalty unless decoupled.
        decoupled_weight_decay: decay as AdamW does.
    """
    if not 0 <= nu <= 1:
        raise ValueError(f"QHM: nu={nu:g} must be in [0, 1]")
    direction = TwoSpeed(nu * momentum, momentum)
    if decoupled_weight_decay:
        return chain(direction, Decay(weight_decay), Scale(lr))
    return chain(L2(weight_decay), direction, Scale(lr))


@recipe(paper="arXiv:1810.06801", traits="elementwise rows scale_free coupled_decay")
def QHAdam(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.995, 0.999),
    nus: tuple[float, float] = (0.7, 1.0),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
):
    """Adam with quasi-hyperbolic averages: each is put together with what it averages.

    g ← g + λ p;   m̂ and v̂ as in Adam
    p ← p − lr (ν₁ m̂ + (1 − ν₁) g) / (√(ν₂ v̂ + (1 − ν₂) g²) + ε)

    ν₁ = ν₂ = 1 is Adam, and ν₁ = β₁ close to NAdam.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1) (the paper's advice; the authors' default is Adam's).
        nus: ν₁, ν₂ in [0, 1] (the paper's advice; the authors' default is Adam).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, an L2 penalty unless decoupled.
        decoupled_weight_decay: decay as AdamW does.
    """
    moment = QuasiSquare(Full(betas[1]), nus[1])
    core = chain(Ema(betas[0], debias=True), QuasiHyperbolic(nus[0]), Precondition(moment, AddEps(eps)))
    if decoupled_weight_decay:
        return chain(core, Decay(weight_decay), Scale(lr))
    return chain(L2(weight_decay), core, Scale(lr))


@recipe(paper="arXiv:1804.00325", traits="elementwise rows coupled_decay")
def AggMo(lr: float = 0.1, betas: tuple[float, float, float] = (0.0, 0.9, 0.99), weight_decay: float = 0.0):
    """Aggregated momentum: the mean of three heavy balls, of which the quick ones damp the slow one.

    g ← g + λ p;   mᵢ ← βᵢ mᵢ + g;   p ← p − lr (m₁ + m₂ + m₃) / 3

    The balls are sums: along a gradient that stays, the step grows to a third of Σ 1 / (1 − βᵢ), 37 times the gradient
    at the defaults.

    Deviation from the authors' code, which takes any number of βs: three, their default.

    Args:
        lr: learning rate (the paper's for SGD with a momentum of 0.9).
        betas: β₁, β₂, β₃ in [0, 1) (the authors').
        weight_decay: λ ≥ 0, an L2 penalty.
    """
    return chain(L2(weight_decay), AggregateMomentum(*betas), Scale(lr))
