"""Regularisation: recipes, and combinators for other recipes, whose point is how the weights are held back."""

from __future__ import annotations

from typing import Literal

from gradwright.core import Chain, Transform, chain
from gradwright.core.transform import DIRECTION, STEP
from gradwright.optimizer.recipe import recipe
from gradwright.recipes.combinator import combinator
from gradwright.transforms import (
    AddEps,
    Constrain,
    Decay,
    Ema,
    Full,
    HeavyBall,
    MaxOverTime,
    NormLoss,
    Precondition,
    Scale,
    StableDecay,
)

WEIGHTS_ONLY = "!vector & !scalar & !bias & !norm & !embedding"
INACTIVE = {"kappa_init_method": "uniform", "kappa_init_param": 1e30}
"""A bound that nothing reaches."""


@recipe(paper="arXiv:2011.11152", traits="totals")
def AdamS(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-4,
    amsgrad: bool = False,
):
    """Adam with stable weight decay: the decay is divided by one root mean square of the whole model.

    m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²;   v̂ = v / (1 − β₂ᵗ);   v̄ = mean of v̂ over all parameters
    p ← p − lr (m / (1 − β₁ᵗ)) / (√v̂ + ε) − min(1, lr λ / (√v̄ + ε)) p

    √v̄ is far below 1 as a rule, so the decay is stronger than AdamW's and λ does not carry over. The mean runs over
    all param groups, tensors without a gradient left out; a tensor of zero gradients counts, and so raises the decay of
    all others. This is not the AdamS of arXiv:2505.16363. Deviations from the authors' code: where all gradients are
    zero nothing decays (there: a division by zero), ε stands beside √v̄, and decay does not take a weight past zero.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁, β₂ in [0, 1) (the authors').
        eps: ε ≥ 0, outside the roots (the authors').
        weight_decay: λ ≥ 0 (the authors').
        amsgrad: divide by the largest v so far, corrected by the present 1 − β₂ᵗ; v̄ is its mean then.
    """
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    return chain(
        Ema(betas[0], debias=True),
        Precondition(moment, AddEps(eps)),
        Scale(lr),
        StableDecay(lr * weight_decay, eps),
    )


@recipe(paper="arXiv:2011.11152", traits="elementwise rows")
def SGDS(
    lr: float = 1e-3,
    momentum: float | None = None,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
):
    """SGD with stable weight decay: decoupled, at the size of the steps that momentum makes.

    m ← μ m + (1 − d) g, m₁ = g;   p ← p − lr (m + (1 − d) / (1 − μ) λ p), with g + μ m for m with ``nesterov``

    The factor (1 − d) / (1 − μ) is what the gradient's sum in m gathers, so that λ need not change with μ.

    Args:
        lr: learning rate (torch's default; the authors have none).
        momentum: μ in [0, 1). ``None``, the default, keeps no buffer; 0.0 keeps one, so that a scheduler can raise it.
        dampening: d in [0, 1]; needs momentum.
        weight_decay: λ ≥ 0.
        nesterov: look one step ahead; needs momentum and no dampening.
    """
    if dampening > 1:
        raise ValueError(f"SGDS: dampening={dampening:g} above 1 would let the weights grow; give a number in [0, 1]")
    if momentum is None:
        if nesterov or dampening:
            ignored = "nesterov=True" if nesterov else f"dampening={dampening:g}"
            raise ValueError(f"SGDS: {ignored} needs momentum, such as momentum=0.9")
        return chain(Decay(weight_decay), Scale(lr))
    if nesterov and dampening:
        raise ValueError(f"SGDS: nesterov=True needs dampening=0, not dampening={dampening:g}")
    gathered = (1 - dampening) / (1 - momentum)
    return chain(HeavyBall(momentum, dampening, nesterov), Decay(gathered * weight_decay), Scale(lr))


def _constrain(
    name: str,
    lr: float,
    method: str,
    param: float | None,
    measure: str,
    mu: float,
    every: int,
    memory: float,
    by_lr: bool,
) -> Constrain:
    """The constraint in the words of the authors' code."""
    if method == "inflection_point" and param is not None:
        raise ValueError(
            f"{name}: kappa_init_param={param:g} has no meaning for kappa_init_method='inflection_point'; leave it out"
        )
    if method != "inflection_point" and param is None:
        raise ValueError(f"{name}: kappa_init_method={method!r} needs kappa_init_param, a number above 0")
    if method == "warm_start" and param is not None and (param < 1 or param % 1 != 0):
        raise ValueError(
            f"{name}: kappa_init_param={param:g} is the step at which a warm start ends; give a whole number from 1 on"
        )
    kappa = 1.0 if param is None else param
    rate, power = (lr, 1) if by_lr else (1.0, 0)
    return Constrain(kappa, method, measure, mu, every, memory, rate, WEIGHTS_ONLY, power)  # type: ignore[arg-type]


@recipe(paper="arXiv:2311.09058", traits="scale_free reduces")
def AdamCPR(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    kappa_init_method: Literal["uniform", "dependent", "warm_start", "inflection_point"] = "inflection_point",
    kappa_init_param: float | None = None,
    reg_function: Literal["l2", "l1", "std", "huber"] = "l2",
    kappa_update: float = 1.0,
    reg_step_size: int = 200,
    reg_ema_decay: float = 0.9,
    reg_by_lr: bool = False,
    amsgrad: bool = False,
):
    """Adam with constrained parameter regularisation: each matrix is held to a size instead of decaying.

    θ ← an Adam step from p;   λ ← max(0, λ + μ / n · (R(θ) − κ));   p ← θ − λ ∇R(θ)

    Matrices, convolutions and stacks are constrained; vectors, biases, norm layers and embeddings are not. The
    transform :class:`Constrain` says how κ is found and what is done differently from the authors' code: λ is held
    where a step takes half of the weights, since the method diverges beyond.

    Args:
        lr: learning rate (the authors' README; their code has 1e-4).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root.
        kappa_init_method: ``"uniform"``: κ = param; ``"dependent"``: κ = param · R of the first weights;
            ``"warm_start"``: κ = R after param steps (twice those of the learning rate's warm-up are advised);
            ``"inflection_point"``: κ = R where its growth slows.
        kappa_init_param: param > 0; must be given but for ``"inflection_point"``, which has none.
        reg_function: R: the sum of squares, of sizes, of Huber losses, or the standard deviation.
        kappa_update: μ ≥ 0.
        reg_step_size: steps between two samples of R in search of the inflection point.
        reg_ema_decay: the decay of their average, in [0, 1).
        reg_by_lr: multiply λ ∇R by lr.
        amsgrad: divide by the largest v so far.
    """
    constrain = _constrain(
        "AdamCPR",
        lr,
        kappa_init_method,
        kappa_init_param,
        reg_function,
        kappa_update,
        reg_step_size,
        reg_ema_decay,
        reg_by_lr,
    )
    moment = MaxOverTime(Full(betas[1])) if amsgrad else Full(betas[1])
    return chain(Ema(betas[0], debias=True), Precondition(moment, AddEps(eps)), Scale(lr), constrain)


@combinator(
    "Constrained", paper="arXiv:2311.09058", gains="reduces", loses="elementwise sign relative", neutral=INACTIVE
)
def constrained(
    base: Chain,
    kappa_init_method: Literal["uniform", "dependent", "warm_start", "inflection_point"] = "inflection_point",
    kappa_init_param: float | None = None,
    reg_function: Literal["l2", "l1", "std", "huber"] = "l2",
    kappa_update: float = 1.0,
    reg_step_size: int = 200,
    reg_ema_decay: float = 0.9,
) -> Chain:
    """Hold each matrix to a size by a Lagrange multiplier, as AdamCPR does; set ``weight_decay=0`` beside it.

    θ ← a step of the recipe;   λ ← max(0, λ + μ / n · (R(θ) − κ));   p ← θ − λ ∇R(θ)

    The hyper-parameters are those of :class:`AdamCPR`.
    """
    constrain = _constrain(
        "constrained",
        1.0,
        kappa_init_method,
        kappa_init_param,
        reg_function,
        kappa_update,
        reg_step_size,
        reg_ema_decay,
        False,
    )
    return chain(base.upto(STEP), constrain, base.beyond(STEP))


@combinator(
    "NormLoss",
    paper="arXiv:2103.06583",
    gains="reduces",
    loses="elementwise sign relative",
    neutral={"norm_strength": 0.0},
)
def norm_regularized(base: Chain, norm_strength: float = 1e-4) -> Chain:
    """Pull the weights of each output towards length one, beside the recipe's own direction.

    u ← u + 2 λ (1 − 1 / ‖w‖) w, times the recipe's lr like a decay. Vectors, biases, norm layers and embeddings are
    left alone. Where the recipe finds its own step, as Prodigy does, the pull is multiplied by that step.

    ``norm_strength`` λ ≥ 0 (the published ports'; the paper's values could not be confirmed). Set ``weight_decay=0``
    beside it, which pulls towards zero.
    """
    direction = base.upto(DIRECTION)
    pull: Transform = NormLoss(norm_strength, only=WEIGHTS_ONLY)
    for link in direction.links:
        pull = link.paced(pull)
    return chain(direction, pull, base.beyond(DIRECTION))
