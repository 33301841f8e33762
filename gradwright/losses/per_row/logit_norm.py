"""LogitNorm: cross-entropy that cannot be lowered by making the logits longer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.batch.reduction import Reduction, over_kept, reduce
from gradwright.losses.batch.rows import rows
from gradwright.losses.per_row.cross_entropy import Log
from gradwright.losses.per_row.curve import terms_of


def logit_norm(
    logits: Tensor,
    target: Tensor,
    temperature: float = 0.04,
    *,
    eps: float = 1e-7,
    center: bool = False,
    label_smoothing: float = 0.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy of z / (τ (‖z‖ + ε)).

    A right answer is followed in direction only: the gradient is orthogonal to z, so confidence does not grow by
    length. The loss is at least ln(1 + (C − 1) exp(−√(C / (C − 1)) / τ)), so τ has to be small.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices or probabilities.
        temperature: τ > 0; 0.04. The authors' class starts from 1, their CIFAR-10 command takes 0.01.
        eps: ε > 0, added to the norm; 1e-7, as the authors' code.
        center: subtract the mean of each row first, so that a constant added to all logits changes nothing, as it does
            for a softmax. Not in the paper.
        label_smoothing: in [0, 1]; 0.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    Reference: arXiv:2205.09310 (Wei et al., ICML 2022).

    >>> logit_norm(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([1]), 1.0)
    tensor(1.1642)
    """
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    checks.number("eps", eps, 0.0, float("inf"), open_low=True)
    batch = rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    shut = batch.logits == -math.inf
    z = batch.logits.masked_fill(shut, 0.0)
    if center:
        z = torch.where(shut, 0.0, z - over_kept(z, shut).unsqueeze(-1))
    # the root of the sum of squares of a scaled row: no overflow for large logits, no 0 / 0 in the gradient at z = 0
    largest = z.detach().abs().amax(-1, keepdim=True)
    unit = z / torch.where(largest == 0, 1.0, largest)
    square = unit.square().sum(-1, keepdim=True)
    norm = largest * torch.where(square == 0, 1.0, square).sqrt()
    log_p = torch.log_softmax((z / (temperature * (norm + eps))).masked_fill(shut, -math.inf), -1)
    return reduce(terms_of(Log(), log_p, batch, label_smoothing), reduction)
