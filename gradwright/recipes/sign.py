"""Sign methods: every entry moves by the same amount."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    AccumulatingEma,
    Attract,
    Decay,
    Ema,
    EveryKth,
    Lazy,
    Scale,
    ShrinkOnNan,
    Sign,
    TwoSpeed,
    WeightScale,
)


@recipe(paper="arXiv:2302.06675", traits="elementwise rows scale_free sign")
def Lion(lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0.0):
    """The sign of a two-speed momentum.

    u = sign(β₁ m + (1 − β₁) g);   p ← p − lr (u + λ p);   m ← β₂ m + (1 − β₂) g

    Args:
        lr: learning rate (the authors' default; 3 to 10 times smaller than AdamW's).
        betas: β₁, β₂ in [0, 1).
        weight_decay: λ ≥ 0, decoupled (3 to 10 times larger than AdamW's).
    """
    return chain(TwoSpeed(*betas), Sign(), Decay(weight_decay), Scale(lr))


@recipe(paper="arXiv:1802.04434", traits="elementwise rows scale_free sign low_memory")
def Signum(lr: float = 1e-4, momentum: float = 0.9, weight_decay: float = 0.0):
    """The sign of a momentum.

    m ← μ m + (1 − μ) g;   p ← p − lr (sign(m) + λ p)

    Without momentum it is signSGD; it is Lion with β₁ = β₂ = μ, where the direction and the average are one.

    Args:
        lr: learning rate (the paper's for ImageNet).
        momentum: μ in [0, 1).
        weight_decay: λ ≥ 0, decoupled; the paper has an L2 penalty.
    """
    return chain(Ema(momentum), Sign(), Decay(weight_decay), Scale(lr))


@recipe(paper="https://kexue.fm/archives/9512", traits="scale_free sign relative low_memory")
def Tiger(
    lr: float = 1e-3,
    momentum: float = 0.965,
    weight_decay: float = 1e-2,
    accumulate: int = 1,
    shrink: float = 0.99,
    floor: float = 1e-3,
    lazy: bool = False,
):
    """The sign of one average, sized by the weights, which gathers micro-batches without a gradient buffer.

    m ← β m + (1 − β) g;   p ← p − lr · rms(p) · (sign(m) + λ p)

    Vectors (biases, gains) take ½ in place of rms(p) and do not decay; an embedding is measured row by row. With
    ``accumulate=k``, step after every micro-batch: m gathers k gradients and the weights move at every k-th step. A
    tensor whose gradient holds a NaN keeps m and shrinks towards 0 (gains: 1) instead of stepping.

    The row of a rare token gets a gradient of zero for long, in which the sign of its momentum stays what it was, so
    that it walks until the decay stops it, at ∓1 / λ. ``lazy`` leaves such rows of embeddings still, one of the
    author's remedies (https://kexue.fm/archives/9736).

    Deviations: the author's code has no ``floor``, so that a matrix of zeros never moves (``floor=0`` gives that); its
    built-in schedule is left to torch's schedulers; it tells roles by parameter names, this by what
    :func:`gradwright.route` finds, or by shape.

    Args:
        lr: learning rate, relative to the weights (the author advises 1e-3 to 2e-3).
        momentum: β in [0, 1) (0.965 for language, 0.945 for vision).
        weight_decay: λ ≥ 0.
        accumulate: k ≥ 1 micro-batches in a step.
        shrink: what a NaN leaves of a tensor, in [0, 1].
        floor: the least rms(p).
        lazy: leave rows of embeddings whose gradient is exactly zero as they are, decay included.
    """
    if accumulate < 1:
        raise ValueError(f"Tiger: accumulate={accumulate} must be at least 1")
    if lazy and accumulate > 1:
        raise ValueError(
            f"Tiger: lazy=True looks at the gradient of one micro-step, which says nothing of the other "
            f"{accumulate - 1} of accumulate={accumulate}; give accumulate=1, or gather the gradients outside"
        )
    return chain(
        AccumulatingEma(momentum, accumulate),
        Sign(),
        Decay(weight_decay, only="!vector & !scalar & !bias & !gain"),
        WeightScale(floor),
        Scale(lr),
        *([Lazy("row", only="embedding")] if lazy else []),
        EveryKth(accumulate),
        ShrinkOnNan(shrink),
    )


@recipe(paper="arXiv:2501.12243", traits="elementwise rows scale_free")
def FOCUS(
    lr: float = 1e-2,
    betas: tuple[float, float] = (0.9, 0.999),
    gamma: float = 0.1,
    weight_decay: float = 0.0,
):
    """The sign of a momentum, and a pull of one size to where the weights have been.

    m ← β₁ m + (1 − β₁) g;   a ← β₂ a + (1 − β₂) p, corrected by 1 − β₂ᵗ
    p ← p − lr (sign(m) + γ sign(p − a) + λ a)

    Where gradients are little but noise, the pull to the average holds weights back. Decay is that of the average, as
    in the authors' code. a₁ is p, so that the first step has no pull; theirs gives one to 1.7 % of the entries, by
    rounding.

    Args:
        lr: learning rate (the authors' default).
        betas: β₁ of the gradients, β₂ of the weights, in [0, 1) (the authors').
        gamma: γ ≥ 0 (the authors').
        weight_decay: λ ≥ 0.
    """
    return chain(Ema(betas[0]), Sign(), Attract(betas[1], gamma, weight_decay), Scale(lr))
