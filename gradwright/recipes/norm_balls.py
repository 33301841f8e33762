"""Scion, Dion and Dion2: steps of one size in a norm that suits the layer, whole or of a part of the momentum."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.recipes.muon import MATRICES
from gradwright.transforms import Decay, Ema, NormBall, PowerIteration, Scale, ShapeScale, TopRows


@recipe(paper="arXiv:2502.07529", traits="scale_free reduces")
def Scion(
    lr: float = 2.0**-12,
    momentum: float = 0.9,
    radius: float = 50.0,
    head_radius: float = 3000.0,
    constrained: bool = True,
    ball: Literal["auto", "spectral", "sign", "column", "row", "token", "rms"] = "auto",
    coefficients: str = "keller",
):
    """A step to the point of a norm ball that the momentum likes best; each layer has the norm that fits it.

    m ← μ m + (1 − μ) g;   p ← (1 − lr) p − lr r u, or p − lr r u without ``constrained``
    u of a matrix: √(n / m) U Vᵀ, Muon's;   of a head: sign(m) / n_in;   of an embedding: every row at the root mean
    square 1;   of a vector: the whole at the root mean square 1. ``ball`` sets another for a group of its own.

    The weights of a constrained run go into the ball of radius r and stay there, which takes the place of weight decay:
    lr goes linearly to 0, without warm-up. The authors begin on its surface (``‖W‖ = r``); weights that begin outside
    shrink. One buffer.

    Deviations from the authors' code: its momentum is 1 − μ; the polar factor is in float32 where theirs is in
    bfloat16; nothing is added to norms that are divided by, and what is zero stays zero. A number of its own for
    vectors it does not have: they take ``radius``.

    Args:
        lr: learning rate (the authors' for GPT).
        momentum: μ in [0, 1) (the authors').
        radius: r (the authors' of hidden layers).
        head_radius: r of heads (the authors').
        constrained: pull the weights into the ball.
        ball: a norm for all parameters of the group, or ``"auto"``; see :class:`~gradwright.transforms.NormBall`.
        coefficients: see :class:`Muon`.

    Raises:
        ValueError: a parameter has no such norm.
    """
    step = NormBall(ball, radius, head_radius, coefficients)
    return chain(Ema(momentum), step, *([Decay(1.0)] if constrained else []), Scale(lr))


@recipe(paper="arXiv:2504.05295", traits="scale_free reduces matrix", only=MATRICES, initial="rank_fraction")
def Dion(lr: float = 1e-2, momentum: float = 0.95, weight_decay: float = 1e-2, rank_fraction: float = 1.0):
    """Muon's direction of a low rank, by one power iteration a step; what is left out stays in the momentum.

    M ← M + G;   P = the Q of QR(M Q);   R = Mᵀ P;   M ← M − (1 − μ) P Rᵀ;   Q ← R, columns of length 1
    W ← W − lr (√(n / m) P Qᵀ + λ W)

    μ is no average's: what has been stepped along fades, the rest gathers. At full rank M is the momentum in its sum
    form, and P Qᵀ the polar factor once Q has settled. A wide matrix is seen transposed, a kernel is one matrix, each
    matrix of a stack is on its own. State: M, and r numbers for each of the shorter side.

    Deviations from the authors' code: QR is Householder's, theirs a random Cholesky; Q begins with other random
    numbers, that depend on the parameter's place alone, so that runs resume and agree.

    Args:
        lr: learning rate (the authors').
        momentum: μ in [0, 1) (the authors').
        weight_decay: λ ≥ 0, decoupled (the authors').
        rank_fraction: r over the shorter side, in (0, 1] (the authors'); state is made with it, so that a later change
            says nothing.

    Raises:
        ValueError: a parameter is not a matrix.
    """
    return chain(PowerIteration(momentum, rank_fraction), ShapeScale("unit_rms_norm"), Decay(weight_decay), Scale(lr))


@recipe(paper="arXiv:2512.16928", traits="scale_free reduces matrix low_memory", only=MATRICES)
def Dion2(
    lr: float = 1e-2,
    momentum: float = 0.95,
    weight_decay: float = 1e-2,
    fraction: float = 0.25,
    coefficients: str = "polar_express",
):
    """Muon of the largest rows of the momentum alone, say a quarter; the others gather until their turn comes.

    M ← M + G;   S: the rows with the largest sums of |M|, or columns where those are fewer;   O ≈ the polar factor of
    M[S] M[S] ← μ M[S];   W ← W − lr (√(n / m) O in the place of S + λ W)

    Deviations from the authors' code: computed in float32 where theirs is in bfloat16; of rows alike the first are
    taken, on every device.

    Args:
        lr: learning rate (the authors').
        momentum: μ in [0, 1) (the authors').
        weight_decay: λ ≥ 0, decoupled, of all rows (the authors').
        fraction: in (0, 1] (the authors').
        coefficients: see :class:`Muon` (the authors').

    Raises:
        ValueError: a parameter is not a matrix.
    """
    return chain(TopRows(momentum, fraction, coefficients), ShapeScale("unit_rms_norm"), Decay(weight_decay), Scale(lr))
