"""Methods that take their step size from the loss."""

from __future__ import annotations

from typing import Literal

from gradwright.core import chain
from gradwright.optimizer.recipe import recipe
from gradwright.transforms import Decay, Ema, LossScaled, Scale


@recipe(paper="doi:10.1016/j.ins.2024.121607", traits="elementwise needs_loss shared low_memory")
def AdaLo(
    lr: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 1e-2,
    kappa: float = 3.0,
    eps: float = 1e-8,
    mode: Literal["adversarial", "compliant"] = "adversarial",
):
    """Momentum with one learning rate that follows the loss; call ``step(loss=loss)`` or ``step(closure)``.

    m ← β₁ m + (1 − β₁) g;   e ← β₂ e + (1 − β₂) / (2 + L)
    a = max(e / κ, ε)  (adversarial), or max((1 − e) / κ, ε)  (compliant);   p ← p − lr a (m + λ p)

    e starts at 0, so the adversarial step warms up over about 1 / (1 − β₂) steps towards 1 / (κ (2 + L)); the
    compliant one starts at 1 / κ. One e serves the whole optimizer, in float64. A loss that is not finite or at most −1
    leaves e alone. The paper could not be read; this follows the published third-party code and its closed form.

    Args:
        lr: a multiplier of the step found (1.0: the method's own).
        betas: β₁ of the momentum, β₂ of the loss average, in [0, 1).
        weight_decay: λ ≥ 0, decoupled.
        kappa: κ > 0; about a quarter of the initial loss is advised.
        eps: the least step.
        mode: whether a larger loss makes a smaller (adversarial) or a larger (compliant) step.

    Raises:
        ValueError: ``step`` was called without a loss.
    """
    return chain(
        Ema(betas[0]),
        Decay(weight_decay),
        LossScaled(betas[1], kappa, eps, mode),
        Scale(lr),
    )
