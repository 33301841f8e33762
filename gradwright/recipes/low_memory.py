"""Methods whose second moment takes next to no memory: SM3, Amos and SMMF."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    AddEps,
    Bare,
    ClipValue,
    Decay,
    Ema,
    ModelOrientedStep,
    PerRow,
    Precondition,
    Scale,
    Sm3,
    SquareEma,
    SquareMatrix,
)
from gradwright.transforms.common.rows import ROWS


@recipe(paper="arXiv:1901.11150", traits="scale_free reduces low_memory")
def SM3(
    lr: float = 0.1,
    momentum: float | None = None,
    eps: float = 1e-30,
    weight_decay: float = 0.0,
    form: Literal["I", "II"] = "II",
):
    """AdaGrad with one accumulator for each row and each column instead of one for each entry.

    II:  ν = min over axes of a + g²,   a ← the largest ν of each slice
    I:   a ← a + the largest g² of each slice,   ν = min over axes of a
    u = g / √(ν + ε), 0 where g is;   m ← μ m + (1 − μ) u;   p ← p − lr (m + λ p)

    The state is one number for each slice along each axis, and with ``momentum`` one more for each entry: a 768 × 3072
    matrix takes 0.007 bytes per parameter without it. Nothing is forgotten, so that steps shrink as 1 / √t; the paper
    warms up. Of a vector it is AdaGrad.

    Args:
        lr: learning rate (the authors' code has no default; 0.1 is what optimizers that follow it use).
        momentum: μ in [0, 1); the paper takes 0.9. ``None``, the default, keeps no full-size state.
        eps: ε ≥ 0, inside the root (the authors' code). optax uses 1e-8.
        weight_decay: λ ≥ 0, decoupled (ours: the paper has none).
        form: ``"II"``, the tighter bound, which the authors use, or ``"I"``.
    """
    average = () if momentum is None else (Ema(momentum),)
    return chain(Precondition(Sm3(form, eps), Bare()), *average, Decay(weight_decay), Scale(lr))


@recipe(paper="arXiv:2210.11693", traits="scale_free reduces low_memory")
def Amos(
    lr: float = 1e-2,
    beta: float = 0.999,
    eta: float | None = None,
    momentum: float | None = None,
    clip: float | None = None,
    extra_l2: float = 0.0,
    c_coef: float = 0.25,
    d_coef: float = 0.25,
    eps: float = 2.0**-125,
):
    """Adam-like steps and weight decay that fall by themselves, sized by where the weights are expected to end.

    v ← β v + (1 − β) ḡ²,   r = (1 − βᵗ) / max(v, ε),   ḡ² the mean of g² over a row, or over the tensor
    c = 1 / √(1 + c₀ √ξ b),   d = 1 / (1 + d₀ √(ξ η) b),   γ = c ξ² r ḡ²
    u = d (ξ η √r g + (γ / 2 + λ) p);   b ← b + γ (1 + b);   p ← p − u, or an average of u

    η is the expected size of the entries of a trained tensor. Where ``eta`` is not given it is told by the role: ½ for
    biases and other vectors, 1 for the gains of norm layers, √(2 / width) for embeddings, √(2 / fan-in) for
    convolutions, √(1 / fan-in) for other matrices. Those are the authors' rules but for what a role does not tell: they
    give √(2 / fan-in) to the second layer of an MLP, √(8 / fan-in) to the first convolution of an image model. A group
    of its own sets it: ``{"params": [...], "eta": 0.05}``. v and b are one number a row for embeddings and matrices
    (one a filter for convolutions), and one number for any other tensor.

    Weight decay is part of the method, and of second order in lr; there is no ``weight_decay``.

    Args:
        lr: ξ; the authors advise 1 / √(number of batches in the data), and no decay schedule.
        beta: β in [0, 1); the authors advise 1 − β near ξ for short runs.
        eta: η, for all tensors of the group, or ``None`` to tell it by role.
        momentum: of u, with its decay, without correction, in [0, 1); ``None`` for none (the default: no full-size
            state).
        clip: cut every entry of g to [−clip, clip] before all else; ``None`` for not.
        extra_l2: λ ≥ 0, a penalty that is not multiplied by ξ, so of another size than a usual weight decay.
        c_coef: c₀ ≥ 0, how fast the decay falls.
        d_coef: d₀ ≥ 0, how fast the step falls.
        eps: the least v, exact in float32.
    """
    cut = () if clip is None else (ClipValue(clip),)
    average = () if momentum is None else (Ema(momentum),)
    by_role = eta is None
    step = ModelOrientedStep(lr, 1.0 if by_role else eta, extra_l2, c_coef, d_coef, by_role)
    return chain(*cut, Precondition(PerRow(beta, eps, ROWS), Bare()), step, *average)


@recipe(paper="arXiv:2412.08894", traits="scale_free reduces low_memory", signed="beta2_decay")
def SMMF(
    lr: float = 1e-3,
    momentum: float = 0.9,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    beta2_decay: float = -0.5,
    growth_rate: float = 0.999,
    signs: Literal["ternary", "binary"] = "ternary",
):
    """Adam whose two averages are both kept as row and column sums of a nearly square matrix, and signs in bits.

    Of a tensor of n entries, seen as p × q = n with q the largest divisor up to √n:
    m = S · Rₘ Cₘ,   v = Rᵥ Cᵥ;   β₁ₜ = μ · growth^(t − 1),   β₂ₜ = 1 − t^c
    m ← β₁ₜ m + (1 − β₁ₜ) g;   v ← β₂ₜ v + (1 − β₂ₜ) g²;   p ← p − lr (m / (√v + ε) + λ p)
    S ← sign(m);   R, C ← row and column sums of |m| and of v, C divided by its own

    There is no bias correction: the first step is lr (1 − μ) long, and steps grow as β₁ₜ falls. The state is 8 (p + q)
    bytes of sums, and the signs: n / 5 bytes for three (0.21 bytes per parameter of a 768 × 3072 matrix in all), n / 8
    bytes for two (0.14).

    Deviations from the authors' code: it takes a whole byte for each sign, and two signs, which make an entry whose
    gradient was always zero move with its row and column (unseen words of an embedding, say); ``"ternary"`` does not,
    ``"binary"`` is the published method. Its L2 mode, which has no effect, is left out.

    Args:
        lr: learning rate (the authors').
        momentum: μ in [0, 1) (the authors').
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, decoupled.
        beta2_decay: c < 0 (−0.5 in the authors' code and for convolutional networks, −0.8 in their runs with
            transformers).
        growth_rate: what is left of β₁ₜ from step to step, in [0, 1] (the authors').
        signs: ``"ternary"`` or ``"binary"``.
    """
    if beta2_decay >= 0:
        raise ValueError(f"SMMF: beta2_decay={beta2_decay:g} must be negative, such as -0.5")
    return chain(
        SquareEma(momentum, growth_rate, signs),
        Precondition(SquareMatrix(-beta2_decay), AddEps(eps)),
        Decay(weight_decay),
        Scale(lr),
    )
