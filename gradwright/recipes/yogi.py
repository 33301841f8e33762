"""Yogi: Adam with an additive second moment."""

from __future__ import annotations

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import AddEps, AdditiveSquare, Decay, Ema, Precondition, Scale


@recipe(paper="NeurIPS 2018, Zaheer et al.", traits="elementwise rows", initial="initial_accumulator_value")
def Yogi(
    lr: float = 1e-2,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-3,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 1e-6,
):
    """Adam whose second moment shrinks no faster than it grows.

    m ← β₁ m + (1 − β₁) g;   v ← v − (1 − β₂) sign(v − g²) g²
    p ← p − lr ((m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ p)

    After a large gradient steps stay short: v falls by no more than (1 − β₂) g² a step.

    Deviations: m begins at zero, where optax and the first ports begin it at 1e-6 like v and then correct it as if from
    zero, for a first step that is off by 1e-5 of the sign; v is corrected as if from zero, as theirs. TensorFlow's form
    adds ε before the correction. The paper starts v from the gradients of a first batch.

    Args:
        lr: learning rate (the paper's).
        betas: β₁, β₂ in [0, 1).
        eps: ε ≥ 0, outside the root (the paper's).
        weight_decay: λ ≥ 0, decoupled (ours).
        initial_accumulator_value: v₀ ≥ 0 (optax's); state is made with it, so that a later change says nothing.
    """
    return chain(
        Ema(betas[0], debias=True),
        Precondition(AdditiveSquare(betas[1], initial_accumulator_value), AddEps(eps)),
        Decay(weight_decay),
        Scale(lr),
    )
