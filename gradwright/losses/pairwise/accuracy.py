"""Smooth stand-ins for accuracy: what a classifier is judged by, made differentiable.

All sharpen as their temperature falls. S1 (:func:`soft_accuracy`), S5 (:func:`top_margin`) and S6
(:func:`~gradwright.losses.exact`) then tend to 1 − accuracy itself. S2 to S4
(:mod:`~gradwright.losses.pairwise.counts`) count the classes that beat the label. S7 is
:func:`~gradwright.losses.soft_f1`, S8 is :func:`~gradwright.losses.tailr`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.batch.reduction import Reduction, reduce
from gradwright.losses.batch.rows import rows
from gradwright.losses.pairwise.margins import index_rows, margins
from gradwright.losses.per_row.curve import Curve, index_terms, one_minus_p, plain_terms


@dataclass(frozen=True)
class Miss(Curve):
    """φ(p) = 1 − p, W(p) = p: a sample counts as much as it is believed."""

    def value(self, log_p: Tensor) -> Tensor:
        return one_minus_p(log_p)

    def weight(self, p: Tensor) -> Tensor:
        return p

    def at_zero(self) -> tuple[float, float]:
        return 1.0, 0.0


def soft_accuracy(
    logits: Tensor,
    target: Tensor,
    temperature: float = 1.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """S1: 1 − softmax(z / τ)_y, one minus the smooth accuracy; half the mean absolute error to the one-hot label.

    Its gradient vanishes where p_y is near 0, so it is for fine-tuning rather than for a start from scratch. It is
    also what EXACT becomes when its noise is Gumbel's instead of Gauss's.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices, or probabilities q: then Σₖ qₖ (1 − pₖ).
        temperature: τ > 0; 1.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    Reference: arXiv:1712.09482 (Ghosh et al., AAAI 2017), for its tolerance of wrong labels.

    >>> soft_accuracy(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    tensor(0.3348)
    """
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    batch = rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    return reduce(plain_terms(Miss(), torch.log_softmax(batch.logits / temperature, -1), batch), reduction)


def top_margin(
    logits: Tensor,
    target: Tensor,
    temperature: float = 1.0,
    *,
    sharpness: float = 1.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """S5: σ((m − z_y) / τ), where m = β⁻¹ ln Σ_{i≠y} exp(β zᵢ) is a smooth maximum of the other classes.

    With β = 1 / τ it is S1 at the same temperature. With one class, or one that is not shut out, it is 0.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices.
        temperature: τ > 0; 1.
        sharpness: β · τ > 0, that is, β in units of 1 / τ; 1.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    >>> top_margin(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    tensor(0.3348)
    """
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    checks.number("sharpness", sharpness, 0.0, float("inf"), open_low=True)
    batch = index_rows(logits, target, weight, sample_weight, ignore_index, dim, "top_margin")
    lead, rival, shut = margins(batch)
    alone = ~rival.any(-1, keepdim=True)
    behind = torch.where(rival, -lead * (sharpness / temperature), -math.inf)
    losses = torch.sigmoid(torch.logsumexp(behind.masked_fill(alone, 0.0), -1) / sharpness)
    losses = torch.where(alone.squeeze(-1), 0.0, torch.where(shut, 1.0, losses))
    return reduce(index_terms(losses, batch), reduction)
