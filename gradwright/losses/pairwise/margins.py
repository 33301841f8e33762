"""Margins: by how much the score of the right class exceeds that of each other class."""

from __future__ import annotations

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


def margins(batch: Rows) -> tuple[Tensor, Tensor]:
    """z_y − zᵢ for every class i, and a mask of the place i = y, where the margin is 0 and has no meaning."""
    assert batch.label is not None, "the target is an index"
    own = torch.arange(batch.logits.shape[-1], device=batch.logits.device) == batch.label.unsqueeze(-1)
    return batch.logits.gather(-1, batch.label.unsqueeze(-1)) - batch.logits, own


_NO_CONDITION = 1e3
"""A margin, in units of the noise, that no noise undoes."""


def conditions(logits: Tensor, labels: Tensor, sigma: float, margin: float | None) -> Tensor:
    """dᵢ = min(z_y − zᵢ, r) / σ for several labels y of a row, and a number beyond all noise at i = y.

    Args:
        logits: z, ``(..., C)``.
        labels: ``(..., L)``.
        sigma, margin: σ and r; None: no margin.

    Returns:
        ``(..., L, C)``.
    """
    gap = logits.gather(-1, labels).unsqueeze(-1) - logits.unsqueeze(-2)
    if margin is not None:
        gap = gap.clamp(max=margin)
    own = torch.arange(logits.shape[-1], device=logits.device) == labels.unsqueeze(-1)
    return torch.where(own, _NO_CONDITION, gap / sigma)
