"""Reducers that aim at the mean and resist outliers; what all reducers have in common is said in
:mod:`gradwright.losses.weighting.reducers`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.weighting.reducers import Robust, SoftMedian, average

_FAR = 1e8
"""A distance, in multiples of δ, from which a sample pulls with all its weight."""


@dataclass(frozen=True)
class HuberMean(Robust):
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

    def of(self, losses: Tensor, weight: Tensor) -> Tensor:
        weight = weight.to(losses.dtype)
        x = torch.where(weight > 0, losses, 0.0)
        middle = SoftMedian(1e-9)
        fixed = x.detach()
        median = middle(fixed, weight)
        delta = self.delta * 1.4826 * middle((fixed - median).abs(), weight)
        # what lies further off pulls as it would there, with all its weight; infinity times a pull of 0 is no number
        near, m = fixed.clamp(median - _FAR * delta, median + _FAR * delta), median
        for _ in range(self.iterations):
            m = average(near, self._pull(near, m, delta, weight, 0.5))
        # x held at its value: m is constant, the shares carry the gradient
        share = self._pull(fixed, m, delta, weight, 1.5)
        total = share.sum()
        share = torch.where(share > 0, share / torch.where(total == 0, 1.0, total), 0.0)
        moved = (share * (torch.where(share > 0, x, 0.0) - torch.where(share > 0, fixed, 0.0))).sum()
        return torch.where(median.isfinite() & delta.isfinite(), m, median) + moved

    @staticmethod
    def _pull(x: Tensor, m: Tensor, delta: Tensor, weight: Tensor, power: float) -> Tensor:
        """w (δ² / ((x − m)² + δ²))^power; where there is no spread, the samples that sit at m."""
        flat = delta == 0
        far = (x - m) / torch.where(flat, 1.0, delta)
        return weight * torch.where(flat, (x == m).to(x.dtype), (1 + far * far) ** -power)


@dataclass(frozen=True)
class MedianOfMeans(Robust):
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

    def of(self, losses: Tensor, weight: Tensor) -> Tensor:
        k = min(self.groups, losses.numel())
        group = torch.arange(losses.numel(), device=losses.device) % k
        held = (group == torch.arange(k, device=losses.device).unsqueeze(-1)) & (weight > 0)
        counts = torch.where(held, weight.to(losses.dtype), 0.0)
        total = counts.sum(-1)
        # no matrix product: it would spread an infinite loss over all groups, and be rounded under autocast
        means = (counts * torch.where(held, losses, 0.0)).sum(-1) / torch.where(total == 0, 1.0, total)
        return SoftMedian(1e-9)(means, (total > 0).to(losses.dtype))
