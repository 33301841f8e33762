"""Focal loss: cross-entropy that turns away from what is already right."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gradwright.losses.batch import checks
from gradwright.losses.batch.reduction import Reduction, Terms, reduce, weighed
from gradwright.losses.batch.rows import binary_rows
from gradwright.losses.per_row.curve import Curve, along, one_minus_p


@dataclass(frozen=True)
class Focal(Curve):
    """φ(p) = −(1 − p)^g ln p, W(p) = (1 − p)^g − g p (1 − p)^(g−1) ln p, which exceeds 1 in the middle."""

    focus: float = 2.0

    def value(self, log_p: Tensor) -> Tensor:
        return -_power(log_p, self.focus) * log_p

    def weight(self, p: Tensor) -> Tensor:
        g = self.focus
        return (1 - p) ** g - g * p * (1 - p) ** (g - 1) * torch.log(p)


def _power(log_p: Tensor, g: float) -> Tensor:
    """(1 − p)^g, whose derivative at p = 1 is kept finite: ln p, by which it is multiplied, is 0 there."""
    return one_minus_p(log_p.clamp(max=-1e-20)) ** g


def focal(
    logits: Tensor,
    target: Tensor,
    focus: float = 2.0,
    *,
    label_smoothing: float = 0.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Focal loss of several classes that exclude one another: −(1 − p_y)^g ln p_y with p = softmax(z).

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices, or probabilities q, with which the loss is Σₖ qₖ (1 − pₖ)^g (−ln pₖ).
        focus: g ≥ 0 (γ in the paper); 2, as the paper. 0 is cross-entropy.
        label_smoothing: ε in [0, 1]; 0.
        weight: ``(C,)``, the paper's α for each class. ``"mean"`` divides by the weights of the samples.
        sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    For classes that do not exclude one another use :func:`sigmoid_focal`. The factor (1 − p)^g is differentiated, as
    in the paper; some implementations hold it constant.

    Reference: arXiv:1708.02002 (Lin et al., ICCV 2017).

    >>> focal(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([1]))
    tensor(0.8029)
    """
    return along(
        Focal(focus),
        logits,
        target,
        label_smoothing=label_smoothing,
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        dim=dim,
        reduction=reduction,
    )


def sigmoid_focal(
    logits: Tensor,
    target: Tensor,
    focus: float = 2.0,
    *,
    alpha: float | None = 0.25,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Focal loss of independent yes-or-no questions, one for each entry.

    α t (1 − p)^g (−ln p) + (1 − α)(1 − t) p^g (−ln(1 − p)) with p = σ(z).

    Args:
        logits: scores, any shape.
        target: shares of "yes" in [0, 1], same shape.
        focus: g ≥ 0; 2, as the paper.
        alpha: the weight of "yes" in [0, 1], and 1 − α that of "no"; 0.25, as the paper. None: both 1.
        mask: True where an entry counts, same shape.
        reduction: over all entries. ``"mean"``, where torchvision's default is ``"none"``; detectors divide
            ``"sum"`` by the number of positive anchors.

    Reference: arXiv:1708.02002 (Lin et al., ICCV 2017).

    >>> sigmoid_focal(torch.tensor([1.5, 1.5]), torch.tensor([1.0, 0.0]), reduction="none")
    tensor([0.0017, 0.8530])
    """
    checks.number("focus", focus, 0.0, float("inf"))
    yes, no = (1.0, 1.0) if alpha is None else (checks.number("alpha", alpha, 0.0, 1.0), 1.0 - alpha)
    x, t, valid, _ = binary_rows(logits, target, mask)
    curve = Focal(focus)
    losses = weighed(curve.of(logsigmoid(x)), yes * t) + weighed(curve.of(logsigmoid(-x)), no * (1 - t))
    return reduce(Terms(losses, None if valid is None else valid.to(x.dtype)), reduction)
