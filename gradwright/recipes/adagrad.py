"""AdaGrad and its line of descent: the gradient over the root of what its squares have come to, without correction."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import (
    L2,
    AddEps,
    Centered,
    DivideBySums,
    EpsInside,
    Full,
    HeavyBall,
    InverseTime,
    Precondition,
    RestoreUnits,
    Scale,
    Sum,
    Uncorrected,
)


@recipe(
    paper="JMLR 12:2121 (2011); torch.optim.Adagrad",
    traits="elementwise rows scale_free coupled_decay low_memory",
    torch_state={"sum": "precondition.sum"},
    initial="initial_accumulator_value",
)
def Adagrad(
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
):
    """AdaGrad: the gradient over the root of the sum of all its squares, as ``torch.optim.Adagrad``.

    g ← g + λ p;   s ← s + g², s₀ given;   p ← p − lr / (1 + (t − 1) η) · g / (√s + ε)

    Steps fall as 1 / √t by themselves, and an entry that is rarely seen takes large ones when it is: the method for
    sparse features. The sum is kept in float32 at least. optax begins at s₀ = 0.1 with ε = 1e-7 inside the root.

    Args:
        lr: learning rate (torch's default).
        lr_decay: η ≥ 0, a fall on top of that.
        weight_decay: λ ≥ 0, an L2 penalty.
        initial_accumulator_value: s₀ ≥ 0; state is made with it, so that a later change says nothing.
        eps: ε ≥ 0, outside the root.
    """
    moment = Sum(initial_accumulator_value)
    return chain(L2(weight_decay), Precondition(moment, AddEps(eps)), InverseTime(lr_decay), Scale(lr))


@recipe(
    paper="Tieleman & Hinton 2012, lecture 6e; centred: arXiv:1308.0850",
    traits="elementwise rows scale_free coupled_decay",
    torch_state={"square_avg": "precondition.v", "grad_avg": "precondition.q", "momentum_buffer": "heavy_ball.m"},
    cycled="momentum",
)
def RMSprop(
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float | None = None,
    centered: bool = False,
):
    """RMSprop: the gradient over the root of an average of its squares, as ``torch.optim.RMSprop``.

    g ← g + λ p;   v ← α v + (1 − α) g²;   d = √v, or √(v − q²) with q ← α q + (1 − α) g, ``centered``
    m ← μ m + g / (d + ε);   p ← p − lr m

    v begins at zero and is not corrected, so that the first step is lr / √(1 − α), ten times lr at the defaults, and
    momentum is a sum that makes it 1 / (1 − μ) times longer still. TensorFlow's and Keras' optimizer of this name is
    another one: v begins at 1 or 0, ε is inside the root and lr inside the momentum.

    Deviation from torch: v − q² is cut off at 0, which rounding can fall below; torch's step is then NaN.

    Args:
        lr: learning rate (torch's default).
        alpha: α in [0, 1).
        eps: ε ≥ 0, outside the root.
        weight_decay: λ ≥ 0, an L2 penalty.
        momentum: μ in [0, 1). ``None``, the default, and 0.0 are the same: they keep no buffer.
        centered: divide by the root of the variance.
    """
    moment = Centered(alpha) if centered else Uncorrected(Full(alpha))
    average = () if momentum is None else (HeavyBall(momentum),)
    return chain(L2(weight_decay), Precondition(moment, AddEps(eps)), *average, Scale(lr))


@recipe(
    paper="arXiv:1212.5701; torch.optim.Adadelta",
    traits="elementwise rows coupled_decay",
    torch_state={"square_avg": "precondition.v", "acc_delta": "restore_units.d"},
)
def Adadelta(lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0):
    """AdaDelta: RMSprop whose steps are measured by those before them, as ``torch.optim.Adadelta``.

    g ← g + λ p;   v ← ρ v + (1 − ρ) g²;   u = √(D + ε) / √(v + ε) · g;   D ← ρ D + (1 − ρ) u²;   p ← p − lr u

    lr is a plain factor, and 1 in the paper: at Keras' default of 0.001 it hardly moves. ε is where the steps begin,
    √(ε / (1 − ρ)) at the first, and not a guard against zero, so that a smaller one makes a slower method.

    Args:
        lr: learning rate (torch's default).
        rho: ρ in [0, 1) (torch's; the paper's 0.95).
        eps: ε ≥ 0, inside both roots.
        weight_decay: λ ≥ 0, an L2 penalty.
    """
    divided = Precondition(Uncorrected(Full(rho)), EpsInside(eps))
    return chain(L2(weight_decay), divided, RestoreUnits(rho, eps), Scale(lr))


@recipe(paper="arXiv:2403.02648", traits="elementwise rows coupled_decay")
def KATE(lr: float = 1e-3, eta: float = 0.9, eps: float = 1e-8, weight_decay: float = 0.0):
    """AdaGrad without the root in its denominator, and with one in its numerator.

    g ← g + κ p;   b ← b + g²;   m ← m + η g² + g² / (b + ε);   p ← p − lr √m g / (b + ε)

    For generalised linear models, whose features may have any scale: with η = 0 a column that is c times as large gets
    a weight that is 1 / c times as large at every step. That is no scale-freedom: with gradients of 1e-3 the first step
    of a network is a thousand times lr.

    Args:
        lr: learning rate (the authors').
        eta: η ≥ 0 (the authors').
        eps: ε ≥ 0 (the authors').
        weight_decay: κ ≥ 0, an L2 penalty.
    """
    return chain(L2(weight_decay), DivideBySums(eta, eps), Scale(lr))
