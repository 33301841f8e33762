"""Smooth counts of the classes that beat the label: S2, S3 and S4 of the stand-ins for accuracy.

Each compares the label with every other class and adds up, so that with a falling temperature it tends to a number of
classes and may exceed 1. A class that is shut out (a logit of −inf) is not compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.batch.reduction import Reduction, reduce
from gradwright.losses.pairwise.margins import index_rows, margins
from gradwright.losses.per_row.curve import index_terms


def pairwise_sigmoid(
    logits: Tensor,
    target: Tensor,
    temperature: float = 1.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """S2: Σ_{i≠y} σ(−(z_y − zᵢ) / τ), a smooth count of the classes that beat the label.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices.
        temperature: τ > 0; 1.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    >>> pairwise_sigmoid(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    tensor(0.3881)
    """

    def defeat(lead: Tensor) -> Tensor:
        return torch.sigmoid(-lead)

    same = weight, sample_weight, ignore_index, dim, reduction
    return _over_rivals("pairwise_sigmoid", defeat, logits, target, temperature, *same)


def pairwise_cubic(
    logits: Tensor,
    target: Tensor,
    temperature: float = 1.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """S3: Σ_{i≠y} ¼x³ − ¾x + ½ with x = (z_y − zᵢ) / τ clipped to [−1, 1]: a step with a soft edge of width 2τ.

    A class further than τ from the label in either direction has no gradient.

    Args: as :func:`pairwise_sigmoid`.

    >>> pairwise_cubic(torch.tensor([[2.0, 1.5, 0.0]]), torch.tensor([0]))
    tensor(0.1562)
    """

    def defeat(lead: Tensor) -> Tensor:
        x = lead.clamp(-1.0, 1.0)
        return x * (0.25 * x * x - 0.75) + 0.5

    same = weight, sample_weight, ignore_index, dim, reduction
    return _over_rivals("pairwise_cubic", defeat, logits, target, temperature, *same)


def pairwise_mixture(
    logits: Tensor,
    target: Tensor,
    temperature: float = 1.0,
    *,
    noise: Tensor | float = 0.0,
    share: Tensor | float = 0.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """S4: Σ_{i≠y} −ln(w θ + (1 − w) σ((z_y − zᵢ) / τ)), the likelihood of each comparison with a part of luck.

    w = σ(share) is the part decided by luck, θ = σ(noise) its chance of a win. Both may be learned. The probability
    never falls below w θ, 0.25 to start with, so that no pair costs more than −ln(w θ).

    Args:
        logits, target, temperature: as :func:`pairwise_sigmoid`.
        noise, share: logits of θ and w, numbers or tensors of no dimension; 0, as the EXACT authors' code starts.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    >>> pairwise_mixture(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    tensor(0.8558)
    """

    def defeat(lead: Tensor) -> Tensor:
        luck, part = (torch.sigmoid(torch.as_tensor(v, dtype=lead.dtype, device=lead.device)) for v in (noise, share))
        return -torch.log(part * luck + (1 - part) * torch.sigmoid(lead))

    same = weight, sample_weight, ignore_index, dim, reduction
    return _over_rivals("pairwise_mixture", defeat, logits, target, temperature, *same)


def _over_rivals(
    name: str,
    defeat: Callable[[Tensor], Tensor],
    logits: Tensor,
    target: Tensor,
    temperature: float,
    weight: Tensor | None,
    sample_weight: Tensor | None,
    ignore_index: int | None,
    dim: int,
    reduction: Reduction,
) -> Tensor:
    """Σ_{i≠y} defeat((z_y − zᵢ) / τ)."""
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    batch = index_rows(logits, target, weight, sample_weight, ignore_index, dim, name)
    lead, rival, shut = margins(batch)
    lead = torch.where(shut.unsqueeze(-1), -math.inf, lead / temperature)
    return reduce(index_terms(torch.where(rival, defeat(lead), 0.0).sum(-1), batch), reduction)
