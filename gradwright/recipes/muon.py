"""Muon and its kin: momentum, orthogonalised."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    AddEps,
    Decay,
    Ema,
    Lazy,
    NeuronNorm,
    Orthogonalize,
    Precondition,
    Rescale,
    Scale,
    ShapeScale,
    Sign,
    UpdateSquare,
)

MATRICES = "(matrix | convolution | stack) & !embedding & !head & !depthwise & !recurrent & !fused"


@recipe(
    paper="https://kellerjordan.github.io/posts/muon",
    traits="scale_free matrix",
    torch_state={"momentum_buffer": "ema.m"},
    only=MATRICES,
)
def Muon(
    lr: float = 2e-2,
    momentum: float = 0.95,
    weight_decay: float = 0.0,
    nesterov: bool = True,
    coefficients: str = "keller",
    adjust_lr: Literal["original", "match_rms_adamw", "spectral", "unit_rms_norm"] = "original",
    norm: Literal["frobenius", "schatten"] = "frobenius",
    split: int | tuple[int, ...] = 1,
    lazy: bool = False,
):
    """The orthogonal polar factor of a momentum, for the hidden matrices of a network.

    m ← μ m + (1 − μ) g;   u = (1 − μ) g + μ m with ``nesterov``, else m
    O ≈ U Vᵀ where u = U S Vᵀ, by a few Newton-Schulz steps;   p ← p − lr (s O + λ p)
    s = √max(1, rows / columns), or 0.2 √max(rows, columns) with ``adjust_lr="match_rms_adamw"`` (Moonlight,
    arXiv:2502.16982, which takes AdamW's lr and λ = 0.1)

    Convolutions are flattened to (out, in · kh · kw), stacks of matrices treated one by one. Embeddings, heads, biases
    and gains belong to another recipe: see :func:`gradwright.route`. Several matrices that are stored as one, such as
    query, key and value weights or the gates of an LSTM, are treated one by one where ``split`` says how they lie:
    ``route(model, {"fused": Muon.bind(split=3), "recurrent & matrix": Muon.bind(split=4), ...})``.

    Deviations: computed in float32 (float64 for float64 parameters) where others use bfloat16; the gradient is scaled
    before its norm is taken, so that tiny gradients are not damped; a conv's scale is that of the flattened matrix,
    where Jordan's code takes that of its kernel. The momentum is an average as in Jordan's code; Moonlight's is the
    sum, which is 1 / (1 − μ) times as large and gives the same steps: a checkpoint of it needs that factor.

    A step has its full size however small the momentum: after the last gradient it goes on until m underflows. With
    ``lazy`` it does not move a matrix whose gradient is exactly zero. A NaN in a gradient makes its whole matrix NaN.

    Args:
        lr: learning rate, in units of the spectral norm (Jordan's default); with ``match_rms_adamw`` that of AdamW.
        momentum: μ in [0, 1).
        weight_decay: λ ≥ 0, decoupled.
        nesterov: look one step ahead.
        coefficients: ``"keller"``, ``"you"``, ``"polar_express"``, ... ; see ``COEFFICIENTS``.
        adjust_lr: how s depends on the shape; see :class:`~gradwright.transforms.ShapeScale`.
        norm: the one by which a matrix is divided before the iteration; ``"schatten"`` with ``"you_4"`` is as good as
            ``"frobenius"`` with ``"you"``.
        split: how many equal blocks of rows a matrix consists of (its heads, say), or the rows of each, such as
            (512, 128, 128); for a stack, of each matrix in it.
        lazy: leave still, decay included, what has a gradient of exactly zero (an expert that got no token).

    Raises:
        ValueError: a parameter is not a matrix, or its rows are not shared out by ``split``.
    """
    return chain(
        Ema(momentum, nesterov=nesterov),
        Orthogonalize(coefficients, norm, split),
        ShapeScale(adjust_lr, split),
        Decay(weight_decay),
        Scale(lr),
        *([Lazy()] if lazy else []),
    )


@recipe(paper="arXiv:2510.05491", traits="scale_free matrix reduces", only=MATRICES)
def NorMuon(
    lr: float = 2e-2,
    betas: tuple[float, float] = (0.95, 0.95),
    eps: float = 1e-10,
    weight_decay: float = 0.0,
    nesterov: bool = True,
    coefficients: str = "keller",
    form: Literal["code", "paper"] = "code",
    norm: Literal["frobenius", "schatten"] = "frobenius",
    split: int | tuple[int, ...] = 1,
):
    """Muon whose rows, the neurons, are evened out by a second moment of one number each.

    O as in Muon with μ = β₁;   v ← β₂ v + (1 − β₂) mean over columns of O²;   N = O / (√v + ε)
    p ← p − lr (√max(1, rows / columns) · N ‖O‖ / ‖N‖ + λ p)             ``form="code"``
    p ← p − lr (0.2 √(rows · columns) · N / ‖N‖ + λ p)                    ``form="paper"``

    The paper and its authors' code differ in the size of the step: the paper's has a root mean square of exactly 0.2,
    so that lr is AdamW's; the code keeps Muon's size and its lr. Which of them made the paper's tables is not known.
    v needs no correction, since the size of N is divided out. What is said of :class:`Muon` holds.

    Args:
        lr: learning rate (the code's default; for the form ``"paper"`` one that suits AdamW).
        betas: β₁ of the momentum, β₂ of v, in [0, 1) (the code's).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0, decoupled.
        nesterov: look one step ahead.
        coefficients: see :class:`Muon`.
        form: which size a step has.
        norm: see :class:`Muon`.
        split: see :class:`Muon`.

    Raises:
        ValueError: a parameter is not a matrix, or its rows are not shared out by ``split``.
    """
    if form not in ("code", "paper"):
        raise ValueError(f"NorMuon: form={form!r} is unknown; known are code, paper")
    return chain(
        Ema(betas[0], nesterov=nesterov),
        Orthogonalize(coefficients, norm, split),
        NeuronNorm(betas[1], eps, split),
        ShapeScale("original", split) if form == "code" else Rescale(0.2, "rms", split),
        Decay(weight_decay),
        Scale(lr),
    )


@recipe(paper="arXiv:2507.11005", traits="scale_free matrix reduces", only=MATRICES)
def AdaMuon(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.95, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 0.1,
    nesterov: bool = False,
    stabilize: bool = True,
    coefficients: str = "keller",
    norm: Literal["frobenius", "schatten"] = "frobenius",
    split: int | tuple[int, ...] = 1,
):
    """Muon whose entries are evened out by a full-size second moment.

    O ≈ the polar factor of sign(m), or of m without ``stabilize``, with m as in Muon and μ = β₁
    v ← β₂ v + (1 − β₂) O²;   N = O / (√(v / (1 − β₂ᵗ)) + ε);   p ← p − lr (0.2 √(rows · columns) · N / ‖N‖ + λ p)

    The first step has one size in every entry, the sign of O. The sign of the momentum came with a later version of the
    paper; the authors' first code has ``stabilize=False``, ``nesterov=True``, β₂ = 0.999 and λ = 0.01. Whether v is
    corrected shows beside ε alone. What is said of :class:`Muon` holds.

    Args:
        lr: learning rate, that of AdamW.
        betas: β₁ of the momentum, β₂ of v, in [0, 1).
        eps: ε ≥ 0, beside entries that are about 1 / √max(rows, columns).
        weight_decay: λ ≥ 0, decoupled.
        nesterov: look one step ahead.
        stabilize: orthogonalise the sign of the momentum.
        coefficients: see :class:`Muon`.
        norm: see :class:`Muon`.
        split: see :class:`Muon`.

    Raises:
        ValueError: a parameter is not a matrix, or its rows are not shared out by ``split``.
    """
    return chain(
        Ema(betas[0], nesterov=nesterov),
        *([Sign()] if stabilize else []),
        Orthogonalize(coefficients, norm, split),
        Precondition(UpdateSquare(betas[1], 0.0), AddEps(eps)),
        Rescale(0.2, "rms", split),
        Decay(weight_decay),
        Scale(lr),
    )
