"""Softmax cross-entropy for samples with any number of labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.batch.reduction import Reduction, Terms, reduce
from gradwright.losses.batch.rows import binary_rows, class_weights, computing, counted_rows, sample_weights


def multilabel_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    threshold: float = 0.0,
    margin: float = 0.0,
    mask: Tensor | None = None,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """ln(1 + Σ tᵢ e^(−sᵢ)) + ln(1 + Σ (1 − tᵢ) e^(sᵢ)): every label is to score above 0 and everything else below.

    It is softmax cross-entropy with a class of score 0 that parts the labels from the rest. However many classes there
    are, the gradients on the labels add up to less than 1, and so do those on the rest: a few labels among
    thousands of classes need no weights. With one class it is binary cross-entropy. It is convex in the logits.

    Predict the classes with s > ``threshold``. Fed *soft* targets strictly between 0 and 1, a sample is fitted best by
    t = σ(2s), which :func:`label_share` undoes. That is not calibration: if hard labels occur with probability t, the
    best s obeys σ(s) = t for one class and lies between this and 0 for more. Fit a temperature afterwards.

    Args:
        logits: scores s of C classes along ``dim``.
        target: t in [0, 1], multi-hot or soft, same shape; any integer type or bool for multi-hot.
        threshold: the score τ that parts labels from the rest; s − τ takes the place of s. 0.
        margin: m ≥ 0, by which labels must exceed the threshold and others stay below it; 0.
        mask: True where it is known whether the label holds, same shape. Unknown ones have no part.
        weight: ``(C,)``, weights ≥ 0 of classes, inside the exponentials: wᵢ e^(…), so that gradients stay bounded.
        pos_weight: ``(C,)``, further weights ≥ 0 of the terms of labels only.
        sample_weight: weights ≥ 0, the shape of ``logits`` less ``dim``. A sample of weight 0 has no part.
        dim, reduction: as :func:`cross_entropy`.

    Raises:
        ValueError: shapes that do not fit, targets outside [0, 1], negative weights, NaN: with the place.

    Deviations: the authors' code clips soft targets at 1e-7 and stands 1e12 for infinity, which fails in float16 and
    rounds in bfloat16; here a target of 0 or 1 leaves a sum exactly, and half types are computed in float32.

    Reference: arXiv:2208.02955 (Su et al., 2022); Su, kexue.fm 7359 and 9064 (soft targets).

    >>> s = torch.tensor([[2.0, -1.0, 0.5, -3.0]])
    >>> multilabel_cross_entropy(s, torch.tensor([[1.0, 0.0, 1.0, 0.0]]))
    tensor(0.9040)
    """
    checks.number("margin", margin, 0.0, math.inf)
    _at_least_one_dim(logits)
    s, t, known, counts = binary_rows(logits, target, mask, dim, sample_weight)
    s = s - threshold
    pull = _log(t) - s + margin
    push = _log(1 - t) + s + margin
    if (classes := class_weights("weight", weight, s)) is not None:
        pull, push = pull + _log(classes), push + _log(classes)
    if (positives := class_weights("pos_weight", pos_weight, s)) is not None:
        pull = pull + _log(positives)
    no_pull, no_push = t == 0, t == 1
    if known is not None:
        no_pull, no_push = no_pull | ~known, no_push | ~known
    losses = softplus_sum(pull.masked_fill(no_pull, -math.inf)) + softplus_sum(push.masked_fill(no_push, -math.inf))
    return reduce(Terms(losses, counts), reduction)


def sparse_multilabel_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    threshold: float = 0.0,
    margin: float = 0.0,
    ignore_index: int = -100,
    sample_weight: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """:func:`multilabel_cross_entropy` for hard labels given as lists of indices, where a multi-hot row would be long.

    Args:
        logits: scores of C classes, ``(..., C)``.
        labels: indices of the classes that hold, ``(..., K)``, filled up with ``ignore_index``. Naming one twice
            does no harm.
        threshold, margin, sample_weight, reduction: as :func:`multilabel_cross_entropy`.
        ignore_index: what fills up; −100.

    The published form takes the labels' part out of the sum over all classes by 1 − e^(b − a), which is lost in
    rounding where labels dominate: (20, 0, 0) with label 0 gives 3.88 for 1.10. Here the labels' logits are shut out of
    a copy, which loses nothing.

    Raises:
        ValueError: shapes that do not fit, an index that is no class, NaN: with the place.

    Reference: Su, kexue.fm 8888.

    >>> sparse_multilabel_cross_entropy(torch.tensor([[20.0, 0.0, 0.0]]), torch.tensor([[0, -100]]))
    tensor(1.0986)
    """
    checks.number("margin", margin, 0.0, math.inf)
    if labels.is_floating_point():
        raise TypeError(
            f"labels has dtype {labels.dtype}; it must hold indices. Shares are for multilabel_cross_entropy"
        )
    if not logits.is_floating_point():
        raise TypeError(f"logits has dtype {logits.dtype}; it must be a floating type")
    _at_least_one_dim(logits)
    if labels.dim() != logits.dim() or labels.shape[:-1] != logits.shape[:-1]:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)}; it must be {(*logits.shape[:-1], 'K')}: K indices for each "
            "row of logits, filled up with ignore_index"
        )
    index = labels.long()
    holds = index != ignore_index
    s = logits.to(computing(logits.dtype))
    counts = sample_weights(sample_weight, logits)
    valid = counted_rows(sample_weight)
    if valid is not None:
        valid = valid.unsqueeze(-1)
        holds = holds & valid
        s = torch.where(valid, s, 0.0)
    checks.indices_are_classes(index, holds, logits.shape[-1], ignore_index, "labels")
    checks.logits_are_numbers(logits, valid, -1, each=True)
    s = s - threshold
    index = torch.where(holds, index, 0)
    # an index named twice pulls once: of equal neighbours in sorted order the later one is dropped
    ordered, order = index.masked_fill(~holds, -1).sort(-1)
    fresh = torch.ones_like(holds)
    fresh[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    fresh = torch.zeros_like(holds).scatter(-1, order, fresh) & holds
    pull = margin - s.gather(-1, index)
    # the place that fillers point to is left as it is, by one column more that takes their writes
    aside = torch.nn.functional.pad(s + margin, (0, 1))
    rest = aside.scatter(-1, torch.where(holds, index, s.shape[-1]), -math.inf)[..., :-1]
    losses = softplus_sum(pull.masked_fill(~fresh, -math.inf)) + softplus_sum(rest)
    return reduce(Terms(losses, counts), reduction)


def label_share(scores: Tensor) -> Tensor:
    """σ(2s): the soft target that a score fits best under :func:`multilabel_cross_entropy`.

    >>> label_share(torch.tensor([0.0, 1.0986123]))
    tensor([0.5000, 0.9000])
    """
    return torch.sigmoid(2 * scores)


def score_threshold(share: Tensor | float) -> Tensor:
    """½ ln(t / (1 − t)): the score above which a class has a share of more than t; the inverse of :func:`label_share`.

    To predict the classes that were right for more than a share t of the annotators, say, compare scores with
    ``score_threshold(t)`` instead of 0.

    Raises:
        ValueError: a share outside (0, 1).

    >>> score_threshold(0.9)
    tensor(1.0986)
    """
    t = torch.as_tensor(share, dtype=torch.get_default_dtype()) if not isinstance(share, Tensor) else share
    if checks.visible(t):
        checks.refuse(~((t > 0) & (t < 1)), t, checks.entry("share"), "a share must lie between 0 and 1, both excluded")
    return 0.5 * torch.logit(t)


def softplus_sum(exponents: Tensor) -> Tensor:
    """ln(1 + Σ e^x) along the last dimension, for x that may be −inf, or +inf: then it is +inf and has no gradient."""
    endless = exponents == math.inf
    finite = torch.logsumexp(torch.nn.functional.pad(exponents.masked_fill(endless, 0.0), (0, 1)), -1)
    return torch.where(endless.any(-1), math.inf, finite)


def _log(x: Tensor) -> Tensor:
    """ln x; −inf at 0, with no gradient there."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1.0).log(), -math.inf)


def _at_least_one_dim(logits: Tensor) -> None:
    if logits.dim() == 0:
        raise ValueError("logits is a single number; it needs a dimension of classes")
