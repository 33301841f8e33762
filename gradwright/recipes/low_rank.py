"""Methods whose state sees a gradient through a few directions: GaLore, Fira, APOLLO, Flora, low_rank() of others."""

from __future__ import annotations

from typing import Literal

from gradwright.core import Chain, chain
from gradwright.core.transform import CONDITION, DIRECTION
from gradwright.optimizer.recipe import recipe
from gradwright.recipes.combinator import combinator
from gradwright.transforms import (
    AddEps,
    Bare,
    ClipRms,
    CompressedEma,
    CorrectAdam,
    Decay,
    Ema,
    Factored,
    Full,
    LowRank,
    Precondition,
    RelativeDecay,
    RelativeStep,
    Scale,
    Uncorrected,
)


@combinator("LowRank", paper="arXiv:2403.03507, 2410.01623, 2412.05270", gains="reduces", loses="elementwise sign")
def low_rank(
    base: Chain,
    rank: int = 128,
    gap: int = 200,
    basis: Literal["svd", "random"] = "svd",
    form: Literal["project", "residual", "channel", "tensor"] = "project",
    share: float = 0.25,
    growth: float = 1.01,
    only: str = "matrix & !embedding & !head",
) -> Chain:
    """Keep the state of the recipe in a few directions of the gradient of each matrix.

    Every ``gap`` steps k vectors of the shorter side are chosen: the leading singular vectors of the gradient, or
    normal numbers, which are drawn again at each step and not kept. The recipe's direction, momentum and moment
    included, is made of the gradient x as they see it, n × k or k × m. The state of a 4096 × 4096 matrix under AdamW
    with k = 128 is 5 MiB instead of 128.

    What is made of its answer r:
    ``"project"`` (GaLore): u = s · r in full coordinates;
    ``"residual"`` (Fira): and the rest of the gradient, scaled row by row as ‖r‖ / ‖x‖, growing by at most γ a step;
    ``"channel"`` (APOLLO): u = √s · the gradient scaled so, and nothing else;
    ``"tensor"`` (APOLLO-Mini, k = 1): with one factor for a matrix.

    What clips or conditions gradients acts before, decay and lr after. What is no matrix, or no larger than k on its
    shorter side, is the recipe's as it is. ``rank`` k ≥ 1, ``share`` s > 0, ``growth`` γ ≥ 1, ``only`` a selector.

    Raises:
        ValueError: the recipe's direction keeps something beside the weights; or, where the optimizer is made, a later
            part of it reads the moment that was divided by.
    """
    inside = chain(*base.upto(DIRECTION).beyond(CONDITION).links)
    view = LowRank(inside, rank, gap, basis, form, share, growth, only)
    return chain(base.upto(CONDITION), view, base.beyond(DIRECTION))


def _adam(betas: tuple[float, float], eps: float) -> Chain:
    """Adam's direction before its correction, which belongs behind what compares lengths of steps."""
    return chain(Ema(betas[0]), Precondition(Uncorrected(Full(betas[1])), AddEps(eps)))


@recipe(paper="arXiv:2403.03507", traits="scale_free reduces")
def GaLore(
    lr: float = 1e-2,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    rank: int = 128,
    gap: int = 200,
    scale: float = 0.25,
):
    """Adam of the gradient in its k leading singular directions, which are found anew every few steps.

    P: k leading singular vectors of the gradient G along its shorter side;   X = G P, or Pᵀ G where G is wide
    M, V as in Adam, of X;   U = √(1 − β₂ᵗ) / (1 − β₁ᵗ) · M / (√V + ε);   W ← (W − lr s U Pᵀ)(1 − lr λ)

    State of an n × m matrix, n ≥ m: 2 n k + m k numbers. Vectors, embeddings, heads and matrices that are no larger
    than k are Adam's. ``low_rank(recipe)`` does the same to any other recipe.

    Deviations from the authors' code: M and V are kept when P changes, as there, but each new vector points the way of
    the old one, where theirs has the sign that the decomposition happens to give and a momentum may be turned against
    itself; the decomposition is in float64 for float64 parameters; P is in the state, so that checkpoints load with
    ``weights_only``.

    Args:
        lr: learning rate (the authors' README).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, before the correction (the authors').
        weight_decay: λ ≥ 0, of the weights after the step.
        rank: k ≥ 1 (the authors').
        gap: steps between two P (the authors').
        scale: s > 0 (the authors').
    """
    view = LowRank(_adam(betas, eps), rank, gap, share=scale)
    return chain(view, CorrectAdam(*betas), Scale(lr), Decay(lr * weight_decay, after=True, lr_power=1))


@recipe(paper="arXiv:2410.01623", traits="scale_free reduces")
def Fira(
    lr: float = 1e-2,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    rank: int = 128,
    gap: int = 200,
    scale: float = 0.25,
    growth: float = 1.01,
):
    """GaLore that does not drop the rest of the gradient: it goes along, as long as Adam would have made it.

    P, X and R = M / (√V + ε) as in :class:`GaLore`;   φ = ‖R‖ / ‖X‖ of each row (of each column where G is wide)
    S = φ (G − s X Pᵀ), of which the length grows by at most γ from step to step
    W ← (W − lr √(1 − β₂ᵗ) / (1 − β₁ᵗ) (s R Pᵀ + S)) (1 − lr λ)

    The paper's rest is G − X Pᵀ; in the authors' code, which is followed, it holds 1 − s of what P sees too, and the
    two are one at s = 1. The rest may begin anew at full length after steps whose gradient is zero; theirs would grow
    from 1e-8 on. Of signs and checkpoints see :class:`GaLore`.

    Args:
        lr: learning rate (GaLore's).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, before the correction (the authors').
        weight_decay: λ ≥ 0, of the weights after the step.
        rank: k ≥ 1 (the authors').
        gap: steps between two P (the authors').
        scale: s > 0, the authors' alpha.
        growth: γ ≥ 1 (the authors').
    """
    view = LowRank(_adam(betas, eps), rank, gap, form="residual", share=scale, growth=growth)
    return chain(view, CorrectAdam(*betas), Scale(lr), Decay(lr * weight_decay, after=True, lr_power=1))


@recipe(paper="arXiv:2412.05270", traits="scale_free reduces")
def APOLLO(
    lr: float = 1e-2,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    rank: int = 256,
    gap: int = 200,
    scale: float = 1.0,
    scale_type: Literal["channel", "tensor"] = "channel",
    growth: float = 1.01,
):
    """The gradient itself, as long as Adam makes it in a small random view: SGD's memory, and nearly Adam's steps.

    P: normal numbers of variance 1 / k, anew every few steps;   X = G P, or Pᵀ G where G is wide
    M, V as in Adam, of X;   R = M / (√V + ε);   φ = ‖R‖ / ‖X‖ of each row (of each column where G is wide)
    U = √s φ G, of which the length grows by at most γ from step to step
    W ← (W − lr √(1 − β₂ᵗ) / (1 − β₁ᵗ) U) (1 − lr λ)

    There is no momentum in the direction. State of an n × m matrix, n ≥ m: 2 n k numbers; P is drawn again at each step
    from the parameter's place and its age, so that runs resume bit for bit and are alike on every device. APOLLO-Mini
    is ``rank=1, scale_type="tensor", scale=128``: of 128 the authors' code takes the root, as here.

    Deviations from the authors' code: the random numbers are others; an update after a step without gradients is not
    held down to 1e-8 of itself. What is no matrix, an embedding or a head, or no larger than k, is Adam's, which they
    leave to the user's groups.

    Args:
        lr: learning rate (the authors' README).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, before the correction (the authors').
        weight_decay: λ ≥ 0, of the weights after the step.
        rank: k ≥ 1 (the authors' README).
        gap: steps between two P (the authors').
        scale: s > 0.
        scale_type: one φ for each ``"channel"`` or for the ``"tensor"``.
        growth: γ ≥ 1 (the authors').
    """
    if scale_type not in ("channel", "tensor"):
        raise ValueError(f"APOLLO: scale_type={scale_type!r} is unknown; known are channel, tensor")
    view = LowRank(_adam(betas, eps), rank, gap, "random", scale_type, scale, growth)
    return chain(view, CorrectAdam(*betas), Scale(lr), Decay(lr * weight_decay, after=True, lr_power=1))


@recipe(paper="arXiv:2402.03293", traits="reduces relative low_memory", signed="beta2_decay")
def Flora(
    lr: float = 1e-2,
    momentum: float = 0.9,
    beta2_decay: float = -0.8,
    eps: tuple[float, float] = (1e-30, 1e-3),
    d: float = 1.0,
    weight_decay: float = 0.0,
    rank: int = 16,
    gap: int = 1000,
    relative_step: bool = False,
):
    """Adafactor with a momentum of which a random view is kept.

    u = g / √v̂ with v̂ factored as in :class:`Adafactor`;   D: normal numbers of variance 1 / k
    u' = μ A Dᵀ + (1 − μ) u;   A ← μ A + (1 − μ) u D, n × k (from the left, k × m, where the matrix is wide)
    α = lr max(ε₂, rms(p));   p ← p − α (u' / max(1, rms(u') / d) + λ p)

    Every few steps D is another one and A ← A Dᵀ D'. D is a function of the parameter's place and its age. State of an
    n × m matrix, n ≥ m: n k + n + m numbers.

    Deviations from the authors' code: matrices of every shape are compressed, where theirs leaves out those that are no
    larger than k or more than four times as long as wide; embeddings and heads keep a whole momentum; a convolution is
    factored; the random numbers are others. Their momentum is off if not asked for.

    Args:
        lr: the relative step (the authors' without one have 1e-2).
        momentum: μ in [0, 1).
        beta2_decay: c < 0 of v̂ (the authors').
        eps: ε₁, added to g²; ε₂, the least rms(p) (the authors').
        d: the threshold of clipping, greater than 0 (the authors').
        weight_decay: λ ≥ 0.
        rank: k ≥ 1.
        gap: steps between two D (the authors' kappa).
        relative_step: let the step fall as 1 / √t.
    """
    if beta2_decay >= 0:
        raise ValueError(f"Flora: beta2_decay={beta2_decay:g} must be negative, such as -0.8")
    step = RelativeStep(lr, eps[1], relative_step)
    divided = Precondition(Factored(-beta2_decay, eps[0]), Bare())
    return chain(divided, CompressedEma(momentum, rank, gap), ClipRms(d), step, RelativeDecay(weight_decay, step))
