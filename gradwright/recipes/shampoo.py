"""Shampoo and SPlus: preconditioners from the Gram matrices of the gradient."""

from __future__ import annotations

from typing import Literal

from gradwright.core import Transform, chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    AddEps,
    AveragedSideDecay,
    Decay,
    EigenbasisSign,
    Ema,
    Full,
    Graft,
    KroneckerEigen,
    KroneckerRoot,
    Precondition,
    Scale,
    SideScale,
    Sum,
)

GRAFTS = ("adam", "adagrad", "sgd", "none")


@recipe(paper="arXiv:1802.09568, 2309.06497", traits="reduces")
def Shampoo(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-12,
    weight_decay: float = 0.0,
    graft: Literal["adam", "adagrad", "sgd", "none"] = "adam",
    graft_eps: float = 1e-8,
    form: Literal["root", "eigenvalue"] = "root",
    accumulate: bool = False,
    precondition_frequency: int = 10,
    max_precond_dim: int = 1024,
):
    """A root of the gradient's Gram matrix on each side of a matrix, at the length of a method that is known.

    L ← β₂ L + (1 − β₂) G Gᵀ,   R ← β₂ R + (1 − β₂) Gᵀ G, or sums;   Ḡ = m / (1 − β₁ᵗ) as in Adam
    U = (L̂ + ε I)^−¼ Ḡ (R̂ + ε I)^−¼, with roots of every k-th step;   U ← U ‖S‖ / ‖U‖;   W ← W − lr (U + λ W)

    S is what the grafted method makes of Ḡ: Adam or AdaGrad divide by √v + ε', SGD by nothing, and with ``"none"`` U
    stays as it is. So lr is that method's. A tensor of d dimensions has the power −1 / (2 d). What has no root, vectors
    and sides larger than ``max_precond_dim``, is the grafted method's. ``form="eigenvalue"`` divides by a second moment
    in the eigenvectors of L and R instead, which needs no graft.

    The paper's first form is ``betas=(0, 0.999), accumulate=True, graft="none", eps=1e-4`` with
    ``precondition_frequency=1``. State: 2 (n² + m²) / (n m) numbers for each of an n × m matrix, and the averages m
    and v.

    Deviations from the authors' distributed code: larger sides are left as they are, where it cuts them into blocks;
    dimensions are not merged (a 16 × 64 matrix is a vector of 1024 to it by default); roots are there from the first
    step on, where it waits for one period of them, and of ranks.

    Args:
        lr: learning rate, that of the grafted method.
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, beside eigenvalues (the authors').
        weight_decay: λ ≥ 0, decoupled.
        graft: whose length a step has.
        graft_eps: ε' ≥ 0 of the grafted method (the authors'), and beside √v with ``form="eigenvalue"``.
        form: ``"root"`` or ``"eigenvalue"``.
        accumulate: sum L and R up, as AdaGrad does (the authors' default), so that steps fall as 1 / √t.
        precondition_frequency: k ≥ 1.
        max_precond_dim: the largest side that has a root (the authors').
    """
    if graft not in GRAFTS:
        raise ValueError(f"Shampoo: graft={graft!r} is unknown; known are {', '.join(GRAFTS)}")
    if form not in ("root", "eigenvalue"):
        raise ValueError(f"Shampoo: form={form!r} is unknown; known are root, eigenvalue")
    rate = 1.0 if accumulate else betas[1]
    direction: Transform = KroneckerRoot(rate, eps, precondition_frequency, max_precond_dim)
    if form == "eigenvalue":
        direction = KroneckerEigen(rate, graft_eps, precondition_frequency, max_precond_dim)
    sizes: dict[str, Transform] = {
        "adam": Precondition(Full(betas[1]), AddEps(graft_eps)),
        "adagrad": Precondition(Sum(), AddEps(graft_eps)),
        "sgd": chain(),
    }
    grafted = direction if graft == "none" else Graft(direction, sizes[graft])
    return chain(Ema(betas[0], debias=True), grafted, Decay(weight_decay), Scale(lr))


@recipe(paper="arXiv:2506.07254", traits="scale_free reduces averages")
def SPlus(
    lr: float = 0.1,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 1e-2,
    ema_rate: float = 0.999,
    inverse_every: int = 100,
    max_dim: int = 10000,
):
    """The sign of a momentum in Shampoo's eigenvectors, and an average of the weights to evaluate with.

    m ← β₁ m + (1 − β₁) g;   L ← β₂ L + (1 − β₂) G Gᵀ,   R alike;   u = Q_L sign(Q_Lᵀ m Q_R) Q_Rᵀ
    s = 2 / (n + m) of a matrix, 0.001 of all else, whose u is sign(m);   x = p − lr s u;   p ← x (1 − lr s λ)
    x̄: the average of x at the rate ρ, corrected by 1 − ρᵗ, where ``optimizer.evaluating()`` evaluates

    Q are the eigenvectors of L and R after the first step and after every ``inverse_every``-th, and axes before. A step
    has the same length however old they are. State: 2 (n² + m²) / (n m) numbers for each of a matrix, m and x̄.

    Deviation from the authors' code: eigenvectors are sorted the other way, which changes nothing.

    Args:
        lr: learning rate (the authors').
        betas: β₁, β₂ in [0, 1) (the authors').
        weight_decay: λ ≥ 0, of the weights after the step (the authors').
        ema_rate: ρ in [0, 1) (the authors').
        inverse_every: steps between two Q, at least 1 (the authors').
        max_dim: the largest side that has a Q; a matrix with a larger one has s = 0.001 (the authors').
    """
    return chain(
        Ema(betas[0]),
        EigenbasisSign(betas[1], inverse_every, max_dim),
        SideScale(lr, max_dim),
        AveragedSideDecay(lr * weight_decay, ema_rate, max_dim),
    )
