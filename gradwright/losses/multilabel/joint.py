"""Classification of several things at once: one logarithm for each class instead of one for each thing."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.batch.reduction import Reduction, Terms, over_kept, reduce
from gradwright.losses.batch.rows import rows
from gradwright.losses.multilabel.cross_entropy import softplus_sum


def joint_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    form: Literal["L1", "L3"] = "L1",
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """n classifications into the same m classes, balanced: a class that occurs k times counts about ln k, not k.

    L1 = Σⱼ ln(1 + Σᵢ tᵢⱼ Σ_{k≠j} e^(sᵢₖ − sᵢⱼ)),  L3 = Σⱼ ln(1 + Σᵢ tᵢⱼ e^(s̄ᵢ − sᵢⱼ)), s̄ᵢ the mean of row i.

    For tokens of a sequence or pixels of an image, most of which belong to one class. With n = 1, L1 is softmax
    cross-entropy; with m = 2, L1 of scores s is :func:`multilabel_cross_entropy` of their differences, and so is
    L3 of 2s.

    Known limits. L1 is convex and right for hard targets; for soft targets its minimum is flatter than the
    target. L3 has its minimum exactly at softmax(s) = t for soft targets, but is wrong for hard ones: it asks that the
    label exceed the mean of its row, not the maximum, so that a row can have a small loss and the wrong argmax. Their
    author calls the attempt a failure; L1 for hard targets is the useful part.

    Args:
        logits: ``(..., n, m)``: n rows that are balanced together, m classes. Reshape to say what belongs together:
            ``(1, batch · length, m)`` for the whole batch.
        target: class indices ``(..., n)``, or probabilities ``(..., n, m)``.
        form: ``"L1"``, or ``"L3"``, which is experimental.
        sample_weight: ``(..., n)``, weights ≥ 0 of rows, inside the logarithms. They may be differentiated if all are
            above 0.
        ignore_index: rows with this index have no part.
        reduction: over the leading dimensions, one loss for each group of n rows.

    Raises:
        ValueError: as :func:`cross_entropy`; logits with fewer than two dimensions; an unknown form.

    Reference: Su, kexue.fm 9158.

    >>> s = torch.tensor([[5.0, 2.0, 1.0], [3.0, 6.0, 0.0], [1.0, 2.0, 8.0]])
    >>> joint_cross_entropy(s, torch.tensor([0, 0, 2]))
    tensor(3.0575)
    """
    if form not in ("L1", "L3"):
        raise ValueError(f"form={form!r} is unknown; choose 'L1' or 'L3'")
    if logits.dim() < 2:
        raise ValueError(f"logits has shape {tuple(logits.shape)}; it must be (..., n, m): n rows of m classes")
    batch = rows(logits, target, sample_weight=sample_weight, ignore_index=ignore_index)
    s = batch.logits
    if batch.label is not None:
        share = (torch.arange(s.shape[-1], device=s.device) == batch.label.unsqueeze(-1)).to(s.dtype)
    else:
        assert batch.soft is not None, "a target is an index or soft"
        share = batch.soft
    if batch.weight is not None:
        if sample_weight is not None and checks.differentiated(sample_weight) and checks.visible(sample_weight):
            why = (
                "a weight that is differentiated must be above 0 here, where its logarithm is taken; detach the weights"
            )
            checks.refuse(sample_weight == 0, sample_weight, checks.entry("sample_weight"), why)
        share = share * batch.weight.unsqueeze(-1)
    rival = _others(s) if form == "L1" else over_kept(s, s == -math.inf).unsqueeze(-1)
    positive = share > 0
    exponent = torch.where(positive, share, 1.0).log() + rival - s
    losses = softplus_sum(torch.where(positive, exponent, -math.inf).transpose(-1, -2)).sum(-1)
    return reduce(Terms(losses), reduction)


def _others(s: Tensor) -> Tensor:
    """ln Σ_{k≠j} e^(sₖ) for every j, without cancellation: only the largest can hold more than half of the sum."""
    shut = s == -math.inf
    # no rival: so far down that the class is certain, finite so that gradients are 0, not NaN
    alone = shut.sum(-1, keepdim=True) == s.shape[-1] - 1
    certain = s.masked_fill(shut, 0.0) - 1e30
    s = torch.where(alone, 0.0, s)
    if s.shape[-1] == 1:
        return certain
    largest = torch.arange(s.shape[-1], device=s.device) == s.argmax(-1, keepdim=True)
    every = torch.logsumexp(s, -1, keepdim=True)
    share = torch.where(largest, 0.0, (s - every).exp())
    without = torch.logsumexp(s.masked_fill(largest, -math.inf), -1, keepdim=True)
    return torch.where(alone, certain, torch.where(largest, without, every + torch.log1p(-share)))
