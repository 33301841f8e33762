"""Smooth stand-ins for accuracy: what a classifier is judged by, made differentiable.

All sharpen as their temperature falls. S1 (:func:`soft_accuracy`), S5 (:func:`top_margin`) and S6 (``exact``) then tend
to 1 − accuracy itself. S2 (:func:`pairwise_sigmoid`), S3 (:func:`pairwise_cubic`) and S4 (:func:`pairwise_mixture`)
compare the label with each other class and add up, so that they tend to the number of classes that beat it and may
exceed 1. S7 is :func:`~gradwright.losses.soft_f1`, S8 is :func:`~gradwright.losses.tailr`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.losses import checks
from gradwright.losses.curve import Curve, index_terms, one_minus_p, plain_terms
from gradwright.losses.margins import index_rows, margins
from gradwright.losses.reduction import Reduction, reduce
from gradwright.losses.rows import rows


@dataclass(frozen=True)
class Miss(Curve):
    """φ(p) = 1 − p, W(p) = p: a sample counts as much as it is believed."""

    def value(self, log_p: Tensor) -> Tensor:
        return one_minus_p(log_p)

    def weight(self, p: Tensor) -> Tensor:
        return p

    def ceiling(self) -> float:
        return 1.0


def soft_accuracy(
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
    """S1: 1 − softmax(z / τ)_y, one minus the smooth accuracy; half the mean absolute error to the one-hot label.

    Its gradient vanishes where p_y is near 0, so it is for fine-tuning rather than for a start from scratch. It is
    also what EXACT becomes when its noise is Gumbel's instead of Gauss's.

    Args:
        logits: scores of C classes along ``dim``.
        target: class indices, or probabilities q: then Σₖ qₖ (1 − pₖ).
        temperature: τ > 0; 1.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    Reference: arXiv:1712.09482 (Ghosh et al., AAAI 2017), for its tolerance of wrong labels.

    >>> soft_accuracy(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    tensor(0.3348)
    """
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    batch = rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    return reduce(plain_terms(Miss(), torch.log_softmax(batch.logits / temperature, -1), batch), reduction)


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
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    batch = index_rows(logits, target, weight, sample_weight, ignore_index, dim, "pairwise_sigmoid")
    gap, own = margins(batch)
    return reduce(index_terms(torch.where(own, 0.0, torch.sigmoid(-gap / temperature)).sum(-1), batch), reduction)


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
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    batch = index_rows(logits, target, weight, sample_weight, ignore_index, dim, "pairwise_cubic")
    gap, own = margins(batch)
    x = (gap / temperature).clamp(-1.0, 1.0)
    return reduce(index_terms(torch.where(own, 0.0, 0.25 * x**3 - 0.75 * x + 0.5).sum(-1), batch), reduction)


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
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    batch = index_rows(logits, target, weight, sample_weight, ignore_index, dim, "pairwise_mixture")
    gap, own = margins(batch)
    luck, part = (torch.sigmoid(torch.as_tensor(v, dtype=gap.dtype, device=gap.device)) for v in (noise, share))
    losses = -torch.log(part * luck + (1 - part) * torch.sigmoid(gap / temperature))
    return reduce(index_terms(torch.where(own, 0.0, losses).sum(-1), batch), reduction)


def top_margin(
    logits: Tensor,
    target: Tensor,
    temperature: float = 1.0,
    *,
    sharpness: float = 1.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """S5: σ((m − z_y) / τ), where m = β⁻¹ ln Σ_{i≠y} exp(β zᵢ) is a smooth maximum of the other classes.

    With β = 1 / τ it is S1 at the same temperature. With one class, which is always right, it is 0.

    Args:
        logits, target, temperature: as :func:`pairwise_sigmoid`.
        sharpness: β · τ > 0, that is, β in units of 1 / τ; 1.
        weight, sample_weight, ignore_index, dim, reduction: as :func:`cross_entropy`.

    >>> top_margin(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    tensor(0.3348)
    """
    checks.number("temperature", temperature, 0.0, float("inf"), open_low=True)
    checks.number("sharpness", sharpness, 0.0, float("inf"), open_low=True)
    batch = index_rows(logits, target, weight, sample_weight, ignore_index, dim, "top_margin")
    gap, own = margins(batch)
    if gap.shape[-1] == 1:
        return reduce(index_terms(0.0 * gap.sum(-1), batch), reduction)
    rivals = torch.where(own, -float("inf"), -gap * (sharpness / temperature))
    return reduce(index_terms(torch.sigmoid(torch.logsumexp(rivals, -1) / sharpness), batch), reduction)
