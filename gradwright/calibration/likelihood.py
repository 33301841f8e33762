"""The negative log-likelihood of scores times β, and how it changes with β."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gradwright.calibration.predictions import exclusive, independent
from gradwright.losses.batch import checks


class Evaluation(NamedTuple):
    """K mean negative log-likelihoods, ``(K,)`` each.

    Attributes:
        value: the likelihoods.
        slope, bend: first and second derivatives in β.
        size: of what cancels in the first.
    """

    value: Tensor
    slope: Tensor
    bend: Tensor
    size: Tensor


class Likelihood:
    """K problems, one for each β, in float64."""

    def at(self, beta: Tensor) -> Evaluation:
        """At β > 0, ``(K,)`` or ``(1,)``."""
        raise NotImplementedError

    def at_zero(self) -> Evaluation:
        """The limit for β → 0; its second derivative is 0 just where β changes nothing at all."""
        raise NotImplementedError

    def slope_at_infinity(self) -> Tensor:
        """The limit of the first derivative for β → ∞; 0, to the last bit, where every sample is right."""
        raise NotImplementedError


class SoftmaxLikelihood(Likelihood):
    """Of classes that exclude one another: one β."""

    def __init__(
        self,
        logits: Tensor,
        target: Tensor,
        sample_weight: Tensor | None,
        ignore_index: int | None,
        dim: int | None = None,
    ) -> None:
        z, self.q, weight = exclusive(logits, target, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
        self.share = _shares(weight)
        self.shut = z == -math.inf
        # only differences count; taken from the largest they are exact where logits are close, and all are ≤ 0
        self.z = (z - z.amax(-1, keepdim=True)).masked_fill(self.shut, 0.0)
        _possible(self.shut & (self.q > 0))

    def at(self, beta: Tensor) -> Evaluation:
        return self._of(torch.log_softmax((beta * self.z).masked_fill(self.shut, -math.inf), -1))

    def at_zero(self) -> Evaluation:
        kept = (~self.shut).sum(-1, keepdim=True).double()
        return self._of((-kept.log()).expand_as(self.z).masked_fill(self.shut, -math.inf))

    def slope_at_infinity(self) -> Tensor:
        return self._mean(-(self.q * self.z).sum(-1))

    def _of(self, log_p: Tensor) -> Evaluation:
        p = log_p.exp()
        mean, own = (p * self.z).sum(-1), (self.q * self.z).sum(-1)
        value = -(self.q * torch.where(self.q == 0, 0.0, log_p)).sum(-1)
        bend = (p * (self.z - mean.unsqueeze(-1)) ** 2).sum(-1)
        each = value, mean - own, bend, mean.abs() + own.abs()
        return Evaluation(*(self._mean(values) for values in each))

    def _mean(self, values: Tensor) -> Tensor:
        return (values * self.share).sum(-1, keepdim=True)


class SigmoidLikelihood(Likelihood):
    """Of independent labels: a β for each."""

    def __init__(
        self,
        logits: Tensor,
        target: Tensor,
        sample_weight: Tensor | None,
        ignore_index: int | None,
        dim: int | None = None,
    ) -> None:
        s, self.y, weight = independent(
            logits, target, "multilabel", sample_weight=sample_weight, ignore_index=ignore_index, dim=dim
        )
        share = _shares(weight)
        sure = s.isinf()  # right whatever β is, or impossible whatever it is
        _possible(sure & (torch.where(s > 0, 1.0, 0.0) != self.y) & (weight > 0))
        self.s, self.share = s.masked_fill(sure, 0.0), share.masked_fill(sure, 0.0)

    def at(self, beta: Tensor) -> Evaluation:
        scaled = beta * self.s
        p = torch.sigmoid(scaled)
        value = torch.nn.functional.softplus(scaled) - self.y * scaled
        return self._of(value, p)

    def at_zero(self) -> Evaluation:
        return self._of(torch.full_like(self.s, math.log(2)), torch.full_like(self.s, 0.5))

    def slope_at_infinity(self) -> Tensor:
        return self._mean(self.s.clamp(min=0.0) - self.y * self.s)

    def _of(self, value: Tensor, p: Tensor) -> Evaluation:
        each = value, (p - self.y) * self.s, p * (1 - p) * self.s**2, (p + self.y) * self.s.abs()
        return Evaluation(*(self._mean(values) for values in each))

    def _mean(self, values: Tensor) -> Tensor:
        return (values * self.share).sum(0)


def _shares(weight: Tensor) -> Tensor:
    """Shares in the total weight, of each label; 0 for a label that nothing is known of."""
    if weight.numel() == 0:
        raise ValueError("logits: no sample counts, so there is nothing to fit a temperature to")
    total = weight.sum(0)
    return weight / torch.where(total == 0, 1.0, total)


def _possible(wrong: Tensor) -> None:
    if (index := checks.first(wrong)) is not None:
        raise ValueError(
            f"logits: of the samples that count, the label of number {index[0]} is impossible (class {index[1]}, whose "
            "logit is infinite); no temperature changes that. Leave the sample out by sample_weight or ignore_index"
        )
