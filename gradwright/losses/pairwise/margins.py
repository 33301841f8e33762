"""Margins: by how much the score of the right class exceeds that of each other class."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradwright.losses.batch.rows import Rows, rows


def index_rows(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    sample_weight: Tensor | None,
    ignore_index: int | None,
    dim: int,
    name: str,
) -> Rows:
    """Rows of a loss that compares one class with the others, and so needs to know which."""
    if target.is_floating_point():
        raise TypeError(
            f"target has dtype {target.dtype}; {name} compares one class with the others and takes integers for class "
            "indices. For probabilities use soft_accuracy, exact or tailr"
        )
    return rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)


def margins(batch: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """What a loss that compares the label with each rival needs.

    Returns:
        z_y − zᵢ for every class i, ``(..., C)``, of no meaning but finite where there is no rival or no label; a mask
        of the rivals, which are the classes i ≠ y that are not shut out; a mask ``(...)`` of labels that are.
    """
    assert batch.label is not None, "the target is an index"
    label = batch.label.unsqueeze(-1)
    shut = batch.logits == -math.inf
    z = batch.logits.masked_fill(shut, 0.0)
    own = torch.arange(z.shape[-1], device=z.device) == label
    return z.gather(-1, label) - z, ~own & ~shut, shut.gather(-1, label).squeeze(-1)


_NO_CONDITION = 1e3
"""A margin, in units of the noise, that no noise undoes."""


def conditions(logits: Tensor, labels: Tensor, sigma: float, margin: float | None) -> Tensor:
    """dᵢ = min(z_y − zᵢ, r) / σ for several labels y of a row, and a number beyond all noise at i = y.

    So it is for classes i that are shut out, and for every i where the label itself is: nothing then follows from d.

    Args:
        logits: z, ``(..., C)``.
        labels: ``(..., L)``.
        sigma, margin: σ and r; None: no margin.

    Returns:
        ``(..., L, C)``.
    """
    shut = logits == -math.inf
    z = logits.masked_fill(shut, 0.0)
    gap = z.gather(-1, labels).unsqueeze(-1) - z.unsqueeze(-2)
    if margin is not None:
        gap = gap.clamp(max=margin)
    own = torch.arange(logits.shape[-1], device=logits.device) == labels.unsqueeze(-1)
    free = own | shut.unsqueeze(-2) | shut.gather(-1, labels).unsqueeze(-1)
    return torch.where(free, _NO_CONDITION, gap / sigma)
