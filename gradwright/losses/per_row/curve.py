"""A loss as a curve: a function φ of the probability p of the right class, and of nothing else.

All such losses share one gradient, ∂φ(p_y)/∂z_k = W(p_y) (p_k − 1[k = y]) with p = softmax(z): that of cross-entropy
times the **cross-entropy weight** W(p) = −p φ′(p). How a loss differs from cross-entropy, which samples it listens to
and which it gives up, is W and nothing more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.batch.reduction import Reduction, Terms, over_kept, reduce, weighed
from gradwright.losses.batch.rows import Rows, rows


@dataclass(frozen=True)
class Curve:
    """φ, given as a function of ln p, where it is stable; and its cross-entropy weight W.

    Class attributes:
        bounds: the admissible range [low, high] of each setting.
    """

    bounds: ClassVar[dict[str, tuple[float, float]]] = {}

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = self.bounds.get(field.name, (0.0, math.inf))
            object.__setattr__(self, field.name, checks.number(field.name, getattr(self, field.name), low, high))

    def value(self, log_p: Tensor) -> Tensor:
        """φ(p), elementwise, for finite ln p ≤ 0."""
        raise NotImplementedError

    def weight(self, p: Tensor) -> Tensor:
        """W(p) = −p φ′(p), elementwise, for 0 < p < 1."""
        raise NotImplementedError

    def at_zero(self) -> tuple[float, float]:
        """φ(0) and W(0), as limits: what a label costs whose class is shut out, and what it counts.

        φ(0) is infinite just where W(0) is above 0.
        """
        return math.inf, 1.0

    def of(self, log_p: Tensor) -> Tensor:
        """φ(p) for ln p from −inf to 0: :meth:`value`, and its limit where a class is shut out.

        There :meth:`value` may be 0 · ∞, and so may its derivatives; it is not asked.
        """
        shut = log_p == -math.inf
        limit, weight = self.at_zero()
        beyond = -weight * log_p if weight else limit
        return torch.where(shut, beyond, self.value(torch.where(shut, 0.0, log_p)))


def one_minus_p(log_p: Tensor) -> Tensor:
    """1 − p without cancellation."""
    return -torch.expm1(log_p)


def along(
    curve: Curve,
    logits: Tensor,
    target: Tensor,
    *,
    label_smoothing: float = 0.0,
    weight: Tensor | None,
    sample_weight: Tensor | None,
    ignore_index: int | None,
    dim: int,
    reduction: Reduction,
) -> Tensor:
    """The loss of a curve on logits: φ(p_y), or Σₖ qₖ φ(pₖ) for soft targets."""
    batch = rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    log_p = torch.log_softmax(batch.logits, -1)
    return reduce(terms_of(curve, log_p, batch, label_smoothing), reduction)


def terms_of(curve: Curve, log_p: Tensor, batch: Rows, label_smoothing: float = 0.0) -> Terms:
    """The loss of each row, given the log-probabilities of its classes.

    Class weights follow torch: a sample counts what its class does, and ``"mean"`` divides by the sum of these; with
    soft targets they multiply the terms of the sum over classes, and ``"mean"`` divides by the number of samples.
    """
    if not label_smoothing:
        return plain_terms(curve, log_p, batch)
    sharp = plain_terms(curve, log_p, batch)
    return smoothed(sharp, curve.of(log_p), batch, label_smoothing)


def smoothed(sharp: Terms, every: Tensor, batch: Rows, label_smoothing: float) -> Terms:
    """(1 − ε) of the loss and ε of the mean of ``every``, the loss of each class, over all that are not shut out."""
    checks.number("label_smoothing", label_smoothing, 0.0, 1.0)
    flat = over_kept(every if batch.classes is None else every * batch.classes, batch.logits == -math.inf)
    own = _class_weight(batch)
    loss = sharp.losses if own is None else weighed(sharp.losses, own)
    mixed = (1 - label_smoothing) * loss + label_smoothing * flat
    return Terms(mixed, batch.weight, sharp.weight)


def plain_terms(curve: Curve, log_p: Tensor, batch: Rows) -> Terms:
    """The loss of each row without label smoothing."""
    if batch.label is not None:
        own = log_p.gather(-1, batch.label.unsqueeze(-1)).squeeze(-1)
        return index_terms(curve.of(own), batch)
    assert batch.soft is not None, "a target is an index or soft"
    return Terms(mixture(batch.soft, curve.of(log_p), batch), batch.weight)


def index_terms(losses: Tensor, batch: Rows) -> Terms:
    """Losses of rows whose target is an index: each counts its sample weight times its class weight."""
    own = _class_weight(batch)
    if own is None:
        return Terms(losses, batch.weight)
    return Terms(losses, own if batch.weight is None else own * batch.weight)


def mixture(soft: Tensor, values: Tensor, batch: Rows) -> Tensor:
    """Σₖ wₖ qₖ valueₖ, where a class of probability 0 adds 0 even if its value is infinite."""
    share = soft if batch.classes is None else soft * batch.classes
    return weighed(values, share).sum(-1)


def _class_weight(batch: Rows) -> Tensor | None:
    if batch.classes is None or batch.label is None:
        return None
    return torch.nn.functional.embedding(batch.label, batch.classes.unsqueeze(-1)).squeeze(-1)
