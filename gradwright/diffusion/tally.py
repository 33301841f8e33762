"""Streaming means: count, mean and scatter of a stream of samples, merged without loss, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.diffusion.check import in_double


@dataclass(frozen=True, eq=False)
class Tally:
    """How many samples there were of each row, their mean, and the sum of squared distances from it.

    Two tallies of disjoint samples merge into that of the union (Chan, Golub and LeVeque, 1979). Nothing is subtracted
    that is larger than the scatter itself, so a mean far from zero costs no digits.

    Args:
        count: shape (T,), int64.
        mean: shape (T, ...), float64.
        scatter: shaped like ``mean``.
    """

    count: Tensor
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, samples: Tensor) -> Tally:
        """One row: the tally of ``samples``, shape (B, ...)."""
        samples = in_double(samples)
        mean = samples.mean(0)
        scatter = ((samples - mean) ** 2).sum(0)
        return cls(torch.tensor([len(samples)]), mean[None].cpu(), scatter[None].cpu())

    @classmethod
    def stack(cls, rows: list[Tally]) -> Tally:
        """The tallies of several rows as one."""
        return cls(*(torch.cat(parts) for parts in zip(*((row.count, row.mean, row.scatter) for row in rows))))

    def merge(self, other: Tally) -> Tally:
        """The tally of the samples of both, row by row."""
        count = self.count + other.count
        wide = (-1, *[1] * (self.mean.dim() - 1))
        share = (other.count / count.clamp(min=1)).to(torch.float64).reshape(wide)
        gap = other.mean - self.mean
        weight = self.count.to(torch.float64).reshape(wide) * share
        return Tally(count, self.mean + share * gap, self.scatter + other.scatter + weight * gap**2)

    @property
    def variance(self) -> Tensor:
        """The unbiased variance of one sample, shaped like ``mean``; NaN of a single sample."""
        return self.scatter / (self.count.to(torch.float64) - 1).reshape(-1, *[1] * (self.mean.dim() - 1))

    @property
    def standard_error(self) -> Tensor:
        """The standard deviation of ``mean``, shaped like it; NaN of a single sample."""
        return (self.variance / self.count.reshape(-1, *[1] * (self.mean.dim() - 1))).sqrt()
