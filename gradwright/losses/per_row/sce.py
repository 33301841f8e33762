"""Symmetric cross-entropy: cross-entropy for learning, reversed cross-entropy against wrong labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.losses.batch.reduction import Reduction, Terms, reduce
from gradwright.losses.batch.rows import rows
from gradwright.losses.per_row.curve import Curve, mixture, one_minus_p, plain_terms


@dataclass(frozen=True)
class Symmetric(Curve):
    """φ(p) = −α ln p − β A (1 − p), W(p) = α − β A p, where A < 0 stands for ln 0."""

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = math.log(1e-4)
    bounds: ClassVar = {"log_zero": (-math.inf, 0.0)}

    def value(self, log_p: Tensor) -> Tensor:
        reverse = -self.beta * self.log_zero * one_minus_p(log_p)
        return reverse if self.alpha == 0 else reverse - self.alpha * log_p

    def weight(self, p: Tensor) -> Tensor:
        return self.alpha - self.beta * self.log_zero * p

    def at_zero(self) -> tuple[float, float]:
        return (math.inf, self.alpha) if self.alpha else (-self.beta * self.log_zero, 0.0)


def sce(
    logits: Tensor,
    target: Tensor,
    alpha: float = 0.1,
    beta: float = 1.0,
    *,
    log_zero: float = math.log(1e-4),
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Symmetric cross-entropy: α · (−Σ q ln p) + β · (−Σ p ln q), where ln 0 is set to A.

    For a single label it is −α ln p_y − β A (1 − p_y): the reversed part is a multiple of the soft accuracy.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices, or probabilities q.
        alpha, beta: ≥ 0. (0.1, 1) as the paper's runs on CIFAR-10; (6, 0.1) on CIFAR-100.
        log_zero: A < 0; ln 1e-4 ≈ −9.21, to which the authors' code clips labels. Their analysis speaks of −4.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    Deviations: the authors' code also clips p at 1e-7, which stops the gradient of very unlikely labels; not here.

    Reference: arXiv:1908.06112 (Wang et al., ICCV 2019).

    >>> sce(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([1]))
    tensor(7.0971)
    """
    curve = Symmetric(alpha, beta, log_zero)
    batch = rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    log_p = torch.log_softmax(batch.logits, -1)
    if batch.soft is None:
        return reduce(plain_terms(curve, log_p, batch), reduction)
    forward = mixture(batch.soft, -curve.alpha * log_p, batch) if curve.alpha else 0.0
    log_q = torch.where(batch.soft > 0, batch.soft, 1.0).log().clamp(min=curve.log_zero)
    log_q = torch.where(batch.soft > 0, log_q, curve.log_zero)
    reverse = -curve.beta * (log_p.exp() * log_q).sum(-1)
    if batch.classes is not None:
        reverse = reverse * (batch.classes * batch.soft).sum(-1)
    return reduce(Terms(forward + reverse, batch.weight), reduction)
