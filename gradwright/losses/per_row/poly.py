"""Poly-1: cross-entropy with the first term of its series in 1 − p turned up or down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gradwright.losses.batch.reduction import Reduction
from gradwright.losses.per_row.curve import Curve, along, one_minus_p
from gradwright.losses.per_row.focal import Focal


@dataclass(frozen=True)
class Poly(Curve):
    """φ(p) = −(1 − p)^g ln p + ε (1 − p)^(g+1), W(p) = W_focal(p) + ε (g + 1) p (1 − p)^g."""

    eps: float = 1.0
    focus: float = 0.0
    bounds: ClassVar = {"eps": (-1.0, math.inf)}

    def value(self, log_p: Tensor) -> Tensor:
        if self.focus == 0:
            return -log_p + self.eps * one_minus_p(log_p)
        return Focal(self.focus).value(log_p) + self.eps * one_minus_p(log_p) ** (self.focus + 1)

    def weight(self, p: Tensor) -> Tensor:
        return Focal(self.focus).weight(p) + self.eps * (self.focus + 1) * p * (1 - p) ** self.focus


def poly1(
    logits: Tensor,
    target: Tensor,
    eps: float = 1.0,
    *,
    focus: float = 0.0,
    label_smoothing: float = 0.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Poly-1 loss: −ln p_y + ε (1 − p_y); on top of the focal loss, −(1 − p_y)^g ln p_y + ε (1 − p_y)^(g+1).

    −ln p = Σⱼ (1 − p)^j / j, so ε changes the coefficient of the first term, 1, to 1 + ε. Above 0 it presses on
    samples that are nearly right, where cross-entropy is about to let go.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices, or probabilities q: then −Σ q ln p + ε (1 − Σ q p).
        eps: ε ≥ −1, below which a right answer would be punished; 1.
        focus: g ≥ 0, the exponent of the focal loss; 0, which is cross-entropy.
        label_smoothing: ε of label smoothing in [0, 1], applied to the whole; 0.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    Reference: arXiv:2204.12511 (Leng et al., ICLR 2022).

    >>> poly1(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    tensor(0.7424)
    """
    return along(
        Poly(eps, focus),
        logits,
        target,
        label_smoothing=label_smoothing,
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        dim=dim,
        reduction=reduction,
    )
