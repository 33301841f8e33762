"""Reduction: from one loss for each sample to the number that is differentiated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Reducer = Callable[[Tensor, Tensor], Tensor]
Reduction = Literal["none", "mean", "sum"] | Reducer


class Terms(NamedTuple):
    """The losses of samples and what each counts.

    Attributes:
        losses: ``(...)``, in the computing type.
        weight: ``(...)``, by which each is multiplied. None: one.
        norm: ``(...)``, what ``"mean"`` divides by, summed. None: the weight.
    """

    losses: Tensor
    weight: Tensor | None = None
    norm: Tensor | None = None


def weighed(values: Tensor, weight: Tensor) -> Tensor:
    """weight · value, where what counts nothing adds 0 even if it is infinite."""
    return weight * torch.where((weight == 0) & values.isinf(), 0.0, values)


def over_kept(values: Tensor, shut: Tensor) -> Tensor:
    """The mean over the classes that are not shut out."""
    return torch.where(shut, 0.0, values).sum(-1) / (~shut).sum(-1)


def reduce(terms: Terms, reduction: Reduction) -> Tensor:
    """Reduce losses.

    ``"none"`` gives weight · loss for each sample, ``"sum"`` their sum, ``"mean"`` their sum divided by the sum of the
    weights. A callable is given the losses and the weights, flattened, and answers with one number; see
    :mod:`gradwright.losses.weighting.reducers`. Weights may be differentiated; a reducer that holds them constant
    refuses that. Nothing to reduce, or nothing but ignored samples, gives 0 with a gradient of 0, where torch gives
    NaN.

    Raises:
        ValueError: an unknown string.
    """
    losses, weight, norm = terms
    if not isinstance(reduction, str):
        counts = torch.ones_like(losses.detach()) if weight is None else weight.expand_as(losses)
        return reduction(losses.reshape(-1), counts.reshape(-1))
    weighted = losses if weight is None else weighed(losses, weight)
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    if reduction != "mean":
        raise ValueError(f"reduction={reduction!r} is unknown; choose none, mean, sum or a reducer (SoftMedian())")
    if norm is None:
        norm = weight
    if norm is None:
        return weighted.sum() / max(losses.numel(), 1)
    count = norm.sum()
    return weighted.sum() / count.masked_fill(count == 0, 1.0)
