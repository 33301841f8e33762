"""Dual averaging: the weights are computed anew from all gradients so far."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import L2, DualAverage, FollowRegularizedLeader, MirrorAverage


@recipe(paper="arXiv:2101.11075", traits="elementwise rows coupled_decay")
def MADGRAD(
    lr: float = 1e-2,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    eps: float = 1e-6,
    decoupled_weight_decay: bool = False,
):
    """Momentumised, adaptive dual averaging: AdaGrad with a cube root, from where the weights began.

    r = lr + ε, or 0 at lr = 0;   g ← g + κ p;   v ← v + r √t g²;   s ← s + r √t g
    z = x₀ − s / (v^⅓ + ε);   p ← μ p + (1 − μ) z

    Steps go with the cube root of the gradient's size, so that lr has to be found anew: the authors took 1e-3 to 0.025.
    A schedule weighs the gradients to come; at lr = 0 the weights still go on to z.

    Deviations from the authors' code: t counts the steps of a parameter, theirs those of the optimizer; x₀ is kept at
    every momentum (12 bytes a float32 parameter); v and s are float32 at least.

    Args:
        lr: learning rate (the authors' default).
        momentum: μ in [0, 1) (the authors').
        weight_decay: κ ≥ 0, an L2 penalty unless decoupled.
        eps: ε ≥ 0, added to lr too, as in the authors' code.
        decoupled_weight_decay: p ← p − r κ p beside the step.
    """
    if decoupled_weight_decay:
        return chain(DualAverage(lr, momentum, eps, weight_decay))
    return chain(L2(weight_decay), DualAverage(lr, momentum, eps))


@recipe(paper="arXiv:2101.11075", traits="elementwise rows coupled_decay")
def MirrorMADGRAD(
    lr: float = 1e-2,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    eps: float = 0.0,
    decoupled_weight_decay: bool = False,
):
    """MADGRAD in its mirror descent form, which forgets where the weights began.

    r = lr + ε, or 0 at lr = 0;   g ← g + κ p;   v ← √((t − 1) / t) v + g²;   z ← z − r t^⅓ g / (v^⅓ + ε)
    p ← μ p + (1 − μ) z

    A gradient counts with the lr that it came with, as in :class:`MADGRAD`, and takes its part of a step at once. No
    origin is kept: 8 bytes a float32 parameter. Steps go with the cube root of the gradient's size.

    Deviations from the authors' code: t counts the steps of a parameter, theirs those of the optimizer.

    Args:
        lr: learning rate (the authors' default).
        momentum: μ in [0, 1) (the authors').
        weight_decay: κ ≥ 0, an L2 penalty unless decoupled.
        eps: ε ≥ 0, added to lr too (the authors').
        decoupled_weight_decay: z ← (1 − r κ) z before the step.
    """
    if decoupled_weight_decay:
        return chain(MirrorAverage(lr, momentum, eps, weight_decay))
    return chain(L2(weight_decay), MirrorAverage(lr, momentum, eps))


@recipe(paper="doi:10.1145/2487575.2488200", traits="elementwise rows", initial="initial_accumulator_value")
def FTRL(
    lr: float = 0.1,
    beta: float = 1.0,
    l1: float = 0.0,
    l2: float = 0.0,
    initial_accumulator_value: float = 0.0,
):
    """FTRL-Proximal: follow the regularised leader, which sets weights that are of no use to exactly zero.

    n' = n + g²;   z ← z + lr g − (√n' − √n) p;   n ← n'
    p ← 0 where |z| ≤ lr l₁, otherwise (sign(z) lr l₁ − z) / (β + √n + lr l₂)

    The method for click rates: with sparse features most weights end at zero. Without penalties and β it is AdaGrad.

    Deviations from the paper: z is lr times the paper's, so that a schedule weighs the gradients to come and does not
    rescale all weights at once; and it begins where the first weights are the solution, where the paper's and Keras'
    throw weights that do not begin at zero away in the first step. Keras' l₂ counts twice this one.

    Args:
        lr: the paper's α.
        beta: β ≥ 0 (the paper's).
        l1: l₁ ≥ 0.
        l2: l₂ ≥ 0.
        initial_accumulator_value: n₀ ≥ 0 (Keras: 0.1); state is made with it, so that a later change says nothing.
    """
    return chain(FollowRegularizedLeader(lr, beta, l1, l2, initial_accumulator_value))
