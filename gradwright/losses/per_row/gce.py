"""Generalised cross-entropy: a Box-Cox bridge from cross-entropy to the mean absolute error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.losses.batch.reduction import Reduction
from gradwright.losses.per_row.curve import Curve, along


@dataclass(frozen=True)
class BoxCox(Curve):
    """φ(p) = (1 − p^q) / q, W(p) = p^q; constant, with W = 0, where p ≤ cut."""

    q: float = 0.7
    cut: float = 0.0
    bounds: ClassVar = {"q": (0.0, 1.0), "cut": (0.0, 1.0)}

    def value(self, log_p: Tensor) -> Tensor:
        if self.cut > 0:
            log_p = log_p.clamp(min=math.log(self.cut))
        return -log_p if self.q == 0 else -torch.expm1(self.q * log_p) / self.q

    def weight(self, p: Tensor) -> Tensor:
        return torch.where(p > self.cut, p**self.q, 0.0)

    def at_zero(self) -> tuple[float, float]:
        if self.q == 0:
            return (math.inf, 1.0) if self.cut == 0 else (-math.log(self.cut), 0.0)
        return (1 - self.cut**self.q) / self.q, 0.0


def gce(
    logits: Tensor,
    target: Tensor,
    q: float = 0.7,
    *,
    cut: float = 0.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Generalised cross-entropy (1 − p_y^q) / q, bounded by 1 / q.

    q → 0 is cross-entropy, q = 1 is 1 − p_y, half the mean absolute error to the one-hot label.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices, or probabilities r, with which the loss is Σₖ rₖ (1 − pₖ^q) / q.
        q: in [0, 1]; 0.7, as the paper.
        cut: k in [0, 1]: a sample with p_y ≤ k is given up, its loss constant and its gradient 0. 0: none. The paper's
            truncated loss takes 0.5, after a time of training without.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    Reference: arXiv:1805.07836 (Zhang and Sabuncu, NeurIPS 2018).

    >>> gce(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([2]))
    tensor(1.1637)
    """
    return along(
        BoxCox(q, cut),
        logits,
        target,
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        dim=dim,
        reduction=reduction,
    )
