"""Cross-entropy, plain, smoothed and normalised."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradwright.losses.batch.reduction import Reduction, Terms, reduce
from gradwright.losses.batch.rows import rows
from gradwright.losses.per_row.curve import Curve, along, index_terms, mixture


@dataclass(frozen=True)
class Log(Curve):
    """φ(p) = −ln p, W(p) = 1: every sample counts the same, however unlikely its label."""

    def value(self, log_p: Tensor) -> Tensor:
        return -log_p

    def of(self, log_p: Tensor) -> Tensor:
        return -log_p  # right at −inf as it stands

    def weight(self, p: Tensor) -> Tensor:
        return torch.ones_like(p)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    label_smoothing: float = 0.0,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy −ln p_y, as torch's, with sample weights, any dimension of classes and any reduction.

    With label smoothing ε: (1 − ε)(−ln p_y) + (ε / C) Σₖ −ln pₖ, over the C classes that are not shut out.

    A logit of −inf shuts a class out: the loss and its gradient are those of the problem without it, in this and in all
    losses. A label that is shut out costs what p = 0 costs, here ∞ (torch smooths over such classes too, which is ∞).

    Args:
        logits: scores of C classes along ``dim``, any other dimensions around it.
        target: class indices with the shape of ``logits`` less ``dim``, or probabilities with the shape of ``logits``.
        label_smoothing: ε in [0, 1]; 0.
        weight: ``(C,)``, a weight ≥ 0 for each class; with indices, ``"mean"`` divides by the weights of the samples.
        sample_weight: a weight ≥ 0 for each sample, shaped like class indices. A sample of weight 0 has no part, even
            if its logits are NaN. Weights may be differentiated; then all samples have a part, in their gradient.
        ignore_index: samples with this index have no part, even if their logits are NaN. None: there are none.
        dim: the dimension of the classes; the last one, where torch's has dimension 1.
        reduction: ``"mean"``, ``"sum"``, ``"none"``, or a reducer such as ``SoftMedian()``.

    Returns:
        A number, or one for each sample, in float32 at least. Where nothing counts it is 0; torch's is NaN.

    Raises:
        ValueError: shapes that do not fit, an index that is no class, a row of probabilities that does not sum to 1,
            a negative weight, a NaN, a row of nothing but −inf: with the place. On an accelerator only inside
            ``checking("everywhere")``.
        TypeError: logits that are not floating.

    >>> cross_entropy(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0]))
    tensor(0.4076)
    """
    return along(
        Log(),
        logits,
        target,
        label_smoothing=label_smoothing,
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        dim=dim,
        reduction=reduction,
    )


def normalized_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int = -1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy divided by its sum over all classes: −ln p_y / Σₖ −ln pₖ, which lies in [0, 1].

    It depends on all probabilities, so it is no curve of p_y alone. With one class, where it is 0 / 0, it is 0. Classes
    that are shut out (logits of −inf) are left out of the sum; a label that is shut out costs 1.

    Args: as :func:`cross_entropy`; without label smoothing, which would only shrink it.

    Reference: arXiv:2006.13554 (Ma et al., 2020).

    >>> normalized_cross_entropy(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([1]))
    tensor(0.3333)
    """
    batch = rows(logits, target, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    shut = batch.logits == -math.inf
    nll = torch.where(shut, 0.0, -torch.log_softmax(batch.logits, -1))
    every = nll.sum(-1, keepdim=True)
    share = nll / torch.where(every == 0, 1.0, every)
    if batch.label is not None:
        label = batch.label.unsqueeze(-1)
        share = torch.where(shut.gather(-1, label), 1.0, share.gather(-1, label))
        return reduce(index_terms(share.squeeze(-1), batch), reduction)
    assert batch.soft is not None, "a target is an index or soft"
    endless = shut & (batch.soft > 0)  # they divide the whole sum among them
    several = endless.sum(-1, keepdim=True)
    share = torch.where(several > 0, endless / several.clamp(min=1), share)
    return reduce(Terms(mixture(batch.soft, share, batch), batch.weight), reduction)
