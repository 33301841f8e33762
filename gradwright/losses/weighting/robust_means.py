"""Reducers that aim at the mean and resist outliers; what all reducers have in common is said in
:mod:`gradwright.losses.weighting.reducers`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.weighting.reducers import SoftMedian, average


@dataclass(frozen=True)
class HuberMean:
    """The value m that minimises Σ wᵢ √((xᵢ − m)² + δ²): a mean within δ of the middle, a median beyond.

    Its gradient is exact, by the implicit function theorem: shares ∝ wᵢ δ² / ((xᵢ − m)² + δ²)^{3/2}.

    Args:
        delta: δ > 0, in multiples of the spread of the batch (1.48 times the median distance from the median, which is
            the standard deviation of a normal distribution); 1. The spread is held constant.
        iterations: steps of the fixed point for m, which is a weighted mean each time; 30.

    >>> HuberMean()(torch.tensor([1.0, 2.0, 3.0, 100.0]), torch.ones(4)) < 5
    tensor(True)
    """

    delta: float = 1.0
    iterations: int = 30

    def __post_init__(self) -> None:
        checks.number("delta", self.delta, 0.0, math.inf, open_low=True)
        if self.iterations < 1:
            raise ValueError(f"iterations={self.iterations} must be at least 1")

    def __call__(self, losses: Tensor, weight: Tensor) -> Tensor:
        if losses.numel() == 0:
            return losses.sum()
        weight = weight.to(losses.dtype)
        x = torch.where(weight > 0, losses, 0.0)
        middle = SoftMedian(1e-9)
        fixed = x.detach()
        m = middle(fixed, weight)
        spread = 1.4826 * middle((fixed - m).abs(), weight)
        delta = self.delta * spread
        for _ in range(self.iterations):
            m = average(fixed, self._pull(fixed, m, delta, weight, 0.5))
        # x held at its value: m is constant, the shares carry the gradient
        share = self._pull(fixed, m, delta, weight, 1.5)
        total = share.sum()
        share = share / torch.where(total == 0, 1.0, total)
        return m + (share * (x - fixed)).sum()

    @staticmethod
    def _pull(x: Tensor, m: Tensor, delta: Tensor, weight: Tensor, power: float) -> Tensor:
        """w (δ² / ((x − m)² + δ²))^power; where there is no spread, the samples that sit at m."""
        square = delta**2
        ratio = square / torch.where(square == 0, 1.0, (x - m) ** 2 + square)
        return weight * torch.where(square == 0, (x == m).to(x.dtype), ratio**power)


@dataclass(frozen=True)
class MedianOfMeans:
    """The median of the means of k groups: near the mean in what it aims at, yet safe from fewer than k / 2 outliers.

    Groups are dealt in turn, sample i to group i mod k; batches come shuffled.

    Args:
        groups: k ≥ 1; 5. More than there are samples are not used.

    >>> MedianOfMeans(2)(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(4))
    tensor(2.5000)
    """

    groups: int = 5

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"groups={self.groups} must be at least 1")

    def __call__(self, losses: Tensor, weight: Tensor) -> Tensor:
        if losses.numel() == 0:
            return losses.sum()
        k = min(self.groups, losses.numel())
        group = torch.arange(losses.numel(), device=losses.device) % k
        one = (group == torch.arange(k, device=losses.device).unsqueeze(-1)).to(losses.dtype) * weight
        total = one.sum(-1)
        held = torch.where(weight > 0, losses, 0.0)
        means = one @ held / torch.where(total == 0, 1.0, total)
        return SoftMedian(1e-9)(means, (total > 0).to(losses.dtype))
