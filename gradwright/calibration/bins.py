"""Bins: sums of claims and outcomes by confidence, and the errors that are read from them."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Norm = Literal["l1", "l2", "max"]
NORMS = ("l1", "l2", "max")


class Reliability(NamedTuple):
    """A reliability diagram as numbers, ``(bins,)`` each, or ``(classes, bins)``.

    Attributes:
        edges: ``(bins + 1,)``, or None where bins have equal numbers of samples instead of fixed edges.
        samples: how many are in the bin.
        weight: their weight.
        confidence: mean probability claimed; NaN in an empty bin.
        accuracy: share that came true; NaN in an empty bin.
        low, high: Wilson's 95 % interval for the accuracy, of as many samples as the bin weighs.
    """

    edges: Tensor | None
    samples: Tensor
    weight: Tensor
    confidence: Tensor
    accuracy: Tensor
    low: Tensor
    high: Tensor


def fixed_bin(confidence: Tensor, bins: int, right: bool) -> Tensor:
    """Which of ``bins`` equal intervals of [0, 1]: [low, high), the last closed; or (low, high], the first closed."""
    place = confidence * bins
    index = place.ceil() - 1 if right else place.floor()
    return index.long().clamp(0, bins - 1)


def equal_mass_bin(confidence: Tensor, weight: Tensor, bins: int) -> Tensor:
    """Which of ``bins`` groups of equal weight, in order of confidence; equal confidences stay together."""
    values, group = confidence.unique(return_inverse=True)
    mass = torch.zeros_like(values).scatter_add(0, group, weight)
    middle = (mass.cumsum(0) - mass / 2) / mass.sum()
    return (middle * bins).floor().long().clamp(0, bins - 1)[group]


def sums(bin_of: Tensor, confidence: Tensor, outcome: Tensor, weight: Tensor, bins: int) -> Tensor:
    """Number, weight, claims and outcomes in each bin: ``(4, bins)``, float64."""
    values = torch.stack([torch.ones_like(weight), weight, weight * confidence, weight * outcome])
    return torch.zeros(4, bins, dtype=torch.float64, device=values.device).index_add(1, bin_of, values)


def calibration_error(table: Tensor, norm: Norm, debias: bool) -> Tensor:
    """The error of tables ``(..., 4, bins)``: Σ b |acc − conf|, √(Σ b (acc − conf)²) or max |acc − conf|.

    With ``debias`` (l2 only) each bin's square loses acc (1 − acc) / (n − 1), what chance alone adds to it, n its
    weight, and bins that weigh 1 at most are left out. NaN without samples.

    Raises:
        ValueError: ``debias`` with weights that are no numbers of samples, so that no bin is left.
    """
    count, weight, claimed, true = table.unbind(-2)
    total = weight.sum(-1, keepdim=True)
    share = weight / total
    safe = torch.where(weight > 0, weight, 1.0)
    accuracy, gap = true / safe, (true - claimed).abs() / safe
    if norm == "l1":
        return (share * gap).sum(-1)
    if norm == "max":
        return torch.where(total[..., 0] > 0, gap.amax(-1), math.nan)
    square = gap**2
    if debias:
        some = weight > 1
        if bool((count > 1).any()) and not bool(some.any()):
            raise ValueError(
                f"sample_weight: {int(count.sum())} samples weigh {weight.sum().item():g} in all, and debias=True "
                "takes weights for numbers of samples; scale them to a mean of 1"
            )
        noise = accuracy * (1 - accuracy) / torch.where(some, weight - 1, 1.0)
        square = torch.where(some, square - noise, 0.0)
    return (share * square).sum(-1).clamp(min=0.0).sqrt()


def reliability(table: Tensor, edges: Tensor | None) -> Reliability:
    """Tables ``(..., 4, bins)`` as a reliability diagram."""
    count, weight, claimed, true = table.unbind(-2)
    some = weight > 0
    safe = torch.where(some, weight, 1.0)
    accuracy = torch.where(some, true / safe, math.nan)
    confidence = torch.where(some, claimed / safe, math.nan)
    z = 1.959963984540054
    n = torch.where(some, weight, 1.0)
    centre = (accuracy + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (accuracy * (1 - accuracy) / n + z**2 / (4 * n**2)).clamp(min=0.0).sqrt()
    return Reliability(edges, count, weight, confidence, accuracy, centre - half, centre + half)
