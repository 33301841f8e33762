"""Reducers by rank: robust stand-ins for the mean of a batch's losses.

A reducer is a value that takes losses and weights, both flat, and gives one number. Its gradient is one share for each
sample, and shares sum to 1, so that a learning rate means the same as with the mean. Ranks are measured in shares of
the total weight: scaling or shifting the losses changes nothing but the result's own scale. A sample of weight 0 has
no part, and one that is left out may have any loss, infinity included: neither the result nor a gradient knows of it.

None of these is the mean: where losses are skewed they have another minimum, and a narrow one trains on few samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.weighting.beta import beta_cdf


class Robust:
    """A reducer whose shares are constants: what is differentiated are the losses, not their weights."""

    def __call__(self, losses: Tensor, weight: Tensor) -> Tensor:
        """One number for losses ``(n,)`` and weights ≥ 0 of the same shape; 0 if there are none.

        Raises:
            ValueError: the weights are to be differentiated.
        """
        if checks.differentiated(weight):
            raise ValueError(
                f"the weights of the losses, made of sample_weight and weight, require a gradient, and {self} holds "
                "them constant; detach them, or give reduction='mean' or 'sum', which differentiate them"
            )
        return self.of(losses, weight) if losses.numel() else losses.sum()

    def of(self, losses: Tensor, weight: Tensor) -> Tensor:
        """The number, of one loss at least."""
        raise NotImplementedError


class _Ranked(NamedTuple):
    losses: Tensor
    """ascending; samples of weight 0 are 0"""
    share: Tensor
    """of the total weight, float64"""
    rank: Tensor
    """the share of weight below a sample, half its own included: 0 to 1, float64"""


def _ranked(losses: Tensor, weight: Tensor) -> _Ranked:
    # samples without weight go last, where they neither have a rank of their own nor shift another's
    key = torch.where(weight > 0, losses.detach(), math.inf)
    order = key.sort(stable=True).indices
    # where ranks are rounded, one more sample may lie inside an edge: an infinite one would be all of the result
    ordered, counts = losses[order], weight[order].to(_widest(losses))
    ordered = torch.where(counts > 0, ordered, 0.0)
    total = counts.sum()
    share = counts / torch.where(total == 0, 1.0, total)
    return _Ranked(ordered, share, share.cumsum(0) - share / 2)


def _widest(losses: Tensor) -> torch.dtype:
    """float64, or what the device has."""
    return torch.float32 if losses.device.type == "mps" else torch.float64


def inside(kernel: Tensor, share: Tensor) -> Tensor:
    """A kernel less what only rounding lets in: a millionth of a sample."""
    return torch.where(kernel > 1e-6 * share, kernel, 0.0)


def average(losses: Tensor, kernel: Tensor) -> Tensor:
    """Σ κ x / Σ κ with κ held constant; 0 if there is nothing to average. Where κ is 0, x may be infinite."""
    kernel = kernel.detach().to(losses.dtype)
    total = kernel.sum()
    return (kernel * torch.where(kernel == 0, 0.0, losses)).sum() / torch.where(total == 0, 1.0, total)


def overlap(low: Tensor, high: Tensor, start: float, stop: float) -> Tensor:
    """The length that intervals [low, high] have in common with [start, stop]."""
    return (high.clamp(max=stop) - low.clamp(min=start)).clamp(min=0.0)


@dataclass(frozen=True)
class SoftMedian(Robust):
    """A smoothed weighted quantile: an average of the losses whose ranks lie near q.

    κᵢ ∝ Wᵢ · max(0, 1 − |Uᵢ − q| / h), where Wᵢ is the share of a sample in the total weight and Uᵢ its mid-rank;
    h is raised to the largest share, so that it always reaches a sample. With equal weights and at most 1 / h samples
    it is the median, the mean of the two middle ones included. Up to a share of about ½ − h of the samples may be
    anything without moving it far. The number of samples in it grows with the batch.

    Args:
        bandwidth: h in (0, 1], in shares of the batch; 0.1. Near 1 it becomes a mean with triangular weights.
        q: the quantile in [0, 1]; 0.5.
        kernel: ``"triangle"``, or ``"uniform"``: all samples within h count alike.

    >>> SoftMedian()(torch.tensor([1.0, 2.0, 3.0, 100.0]), torch.ones(4))
    tensor(2.5000)
    """

    bandwidth: float = 0.1
    q: float = 0.5
    kernel: Literal["triangle", "uniform"] = "triangle"

    def __post_init__(self) -> None:
        checks.number("bandwidth", self.bandwidth, 0.0, 1.0, open_low=True)
        checks.number("q", self.q, 0.0, 1.0)
        if self.kernel not in ("triangle", "uniform"):
            raise ValueError(f"kernel={self.kernel!r} is unknown; choose triangle or uniform")

    def of(self, losses: Tensor, weight: Tensor) -> Tensor:
        x, share, rank = _ranked(losses, weight)
        distance = torch.where(share > 0, (rank - self.q).abs(), math.inf)
        reach = share.max().clamp(min=self.bandwidth)
        kernel = inside(share * (1 - distance / reach), share)
        if self.kernel == "uniform":
            kernel = torch.where(kernel > 0, share, 0.0)
        # at the very ends of the ranks a kernel may catch nothing; then the nearest samples stand in
        nearest = torch.where(distance <= distance.min() * (1 + 1e-6), share, 0.0)
        return average(x, torch.where(kernel.sum() > 0, kernel, nearest))


@dataclass(frozen=True)
class TrimmedMean(Robust):
    """The mean of what is left when a share of the smallest and of the largest losses is cut away.

    A sample on an edge counts with the part of it that is inside.

    Args:
        low, high: shares to cut at either end, each in [0, 1), together less than 1; 0 and 0.1.

    >>> TrimmedMean(0.25, 0.25)(torch.tensor([1.0, 2.0, 3.0, 100.0]), torch.ones(4))
    tensor(2.5000)
    """

    low: float = 0.0
    high: float = 0.1

    def __post_init__(self) -> None:
        checks.number("low", self.low, 0.0, 1.0)
        checks.number("high", self.high, 0.0, 1.0)
        if self.low + self.high >= 1:
            raise ValueError(f"low={self.low:g} and high={self.high:g} cut everything away; their sum must be below 1")

    def of(self, losses: Tensor, weight: Tensor) -> Tensor:
        x, share, rank = _ranked(losses, weight)
        return average(x, inside(overlap(rank - share / 2, rank + share / 2, self.low, 1 - self.high), share))


@dataclass(frozen=True)
class TopMean(Robust):
    """The mean of the largest losses, a share of them: the conditional value at risk. The opposite aim of a median.

    Args:
        share: in (0, 1]; 0.5. 1 is the mean.

    >>> TopMean(0.5)(torch.tensor([1.0, 2.0, 3.0, 100.0]), torch.ones(4))
    tensor(51.5000)
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        checks.number("share", self.share, 0.0, 1.0, open_low=True)

    def of(self, losses: Tensor, weight: Tensor) -> Tensor:
        return TrimmedMean(1 - self.share, 0.0).of(losses, weight)


@dataclass(frozen=True)
class HarrellDavis(Robust):
    """The Harrell-Davis quantile: all order statistics, weighted by Beta((n + 1) q, (n + 1)(1 − q)) on their ranks.

    Smooth and efficient, but each sample counts: one outlier moves it, though little, and an infinite one makes it
    infinite. With weights, n is the effective number of samples, (Σ w)² / Σ w².

    Args:
        q: the quantile in (0, 1); 0.5.

    Reference: Harrell and Davis, Biometrika 69 (1982).

    >>> HarrellDavis()(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(4))
    tensor(2.5000)
    """

    q: float = 0.5

    def __post_init__(self) -> None:
        checks.number("q", self.q, 1e-6, 1 - 1e-6)

    def of(self, losses: Tensor, weight: Tensor) -> Tensor:
        x, share, _ = _ranked(losses, weight)
        square = share.square().sum()
        n = 1 / torch.where(square == 0, 1.0, square)
        edges = torch.cat([share.new_zeros(1), share.cumsum(0)])
        edges = edges / torch.where(edges[-1:] == 0, 1.0, edges[-1:])  # the last is 1, to the last bit
        mass = beta_cdf(edges, (n + 1) * self.q, (n + 1) * (1 - self.q)).diff()
        return average(x, mass.clamp(min=0.0))
