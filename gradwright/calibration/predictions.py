"""Predictions: what is claimed and what came true, in one form for all metrics."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from gradwright.losses.batch import checks
from gradwright.losses.batch.rows import rows

Kind = Literal["top", "classwise", "binary", "multilabel"]
KINDS = ("top", "classwise", "binary", "multilabel")


class Claims(NamedTuple):
    """Claims of probability and their outcomes, in float64.

    Attributes:
        confidence: ``(n, K)``, claimed probabilities; K is 1 unless classes are looked at one by one.
        outcome: ``(n, K)``, what came true, in [0, 1].
        weight: ``(n, K)``, what each claim counts; 0 where the outcome is not known.
    """

    confidence: Tensor
    outcome: Tensor
    weight: Tensor


def claims(
    predictions: Tensor,
    target: Tensor,
    kind: Kind,
    *,
    logits: bool,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int | None = None,
) -> Claims:
    """Read predictions; samples that do not count are left out, and claims whose outcome is missing weigh 0.

    Raises:
        ValueError: shapes that do not fit, no ``dim`` where it is not clear, probabilities outside [0, 1] or rows that
            do not sum to 1 without ``logits=True``, targets out of range.
    """
    predictions, target = predictions.detach(), target.detach()
    if kind in ("binary", "multilabel"):
        x, answers, weight = independent(
            predictions, target, kind, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim
        )
        if logits:
            x = torch.sigmoid(x)
        are_probabilities(x)
        return Claims(x, answers, weight)
    p, truth, weight = distributions(
        predictions, target, logits=logits, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim
    )
    weight = weight.unsqueeze(-1)
    if kind == "classwise":
        return Claims(p, truth, weight.expand_as(p))
    confidence, best = p.max(-1, keepdim=True)
    return Claims(confidence, truth.gather(-1, best), weight)


def distributions(
    predictions: Tensor,
    target: Tensor,
    *,
    logits: bool,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int | None = None,
    log: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities (their logarithms with ``log``), true probabilities, both ``(n, C)``, and weights ``(n,)``."""
    x, truth, weight = exclusive(predictions, target, sample_weight=sample_weight, ignore_index=ignore_index, dim=dim)
    if logits:
        return torch.log_softmax(x, -1) if log else torch.softmax(x, -1), truth, weight
    are_probabilities(x)
    total = x.sum(-1)
    if (index := checks.first((total - 1).abs() > 1e-2)) is not None:
        raise ValueError(
            f"predictions: the probabilities of sample {index[0]} sum to {total[index].item():g}, not 1; "
            "for raw scores pass logits=True"
        )
    return x.log() if log else x, truth, weight


def exclusive(
    predictions: Tensor,
    target: Tensor,
    *,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions as they are and true probabilities, ``(n, C)``, and weights ``(n,)``, of the samples that count."""
    weight = None if sample_weight is None else sample_weight.detach()
    along = -1 if dim is None else dim
    batch = rows(predictions.detach().double(), target, sample_weight=weight, ignore_index=ignore_index, dim=along)
    x = batch.logits.reshape(-1, batch.logits.shape[-1])
    weight = x.new_ones(len(x)) if batch.weight is None else batch.weight.reshape(-1)
    kept = weight > 0
    x, weight = x[kept], weight[kept]
    if batch.label is not None:
        truth = torch.nn.functional.one_hot(batch.label.reshape(-1)[kept], x.shape[-1]).to(x.dtype)
    else:
        assert batch.soft is not None, "a target is an index or soft"
        truth = batch.soft.reshape(-1, x.shape[-1])[kept]
    return x, truth, weight


def are_probabilities(x: Tensor) -> None:
    """Refuse what is not in [0, 1]; nothing is guessed from the values."""
    wrong = ~((x >= 0) & (x <= 1))
    checks.refuse(wrong, x, checks.entry("predictions"), "probabilities are in [0, 1]; for raw scores pass logits=True")


def independent(
    predictions: Tensor,
    target: Tensor,
    kind: Kind,
    *,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = -100,
    dim: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions as they are, answers and weights, ``(n, K)`` each, of the samples with an answer that counts.

    An answer that is missing weighs 0, and is 0 as is its prediction.
    """
    predictions, target = predictions.detach(), target.detach()
    if predictions.shape != target.shape:
        raise ValueError(
            f"target has shape {tuple(target.shape)}; with kind={kind!r} it must be {tuple(predictions.shape)}, "
            "one answer for each prediction"
        )
    if kind == "multilabel":
        along = labels_along(predictions, dim)
        predictions, target = predictions.movedim(along, -1), target.movedim(along, -1)
    last = predictions.shape[-1] if kind == "multilabel" else 1
    x, t = predictions.double().reshape(-1, last), target.double().reshape(-1, last)
    shape = predictions.shape[:-1] if kind == "multilabel" else predictions.shape
    if sample_weight is not None and sample_weight.shape != shape:
        raise ValueError(f"sample_weight has shape {tuple(sample_weight.shape)}; it must be {tuple(shape)}")
    weight = x.new_ones(len(x)) if sample_weight is None else sample_weight.detach().double().reshape(-1)
    checks.refuse(~(weight >= 0), weight, checks.entry("sample_weight"), "sample weights must not be negative")
    weight = weight.unsqueeze(-1).expand_as(x)
    if ignore_index is not None and not target.is_floating_point():
        weight = torch.where(t == ignore_index, 0.0, weight)
    known = weight > 0
    checks.refuse(known & ~((t >= 0) & (t <= 1)), t, checks.entry("target"), "answers are in [0, 1]")
    checks.refuse(known & x.isnan(), x, checks.entry("predictions"), "predictions must be numbers")
    some = known.any(-1)
    return torch.where(known, x, 0.0)[some], torch.where(known, t, 0.0)[some], weight[some]


def labels_along(predictions: Tensor, dim: int | None) -> int:
    """The dimension of independent labels: the one that is named, or the only one that it can be.

    Raises:
        ValueError: there are several.
    """
    shape = tuple(predictions.shape)
    if dim is not None:
        if not -len(shape) <= dim < len(shape):
            raise ValueError(f"dim={dim} is not a dimension of predictions, whose shape is {shape}")
        return dim
    if len(shape) < 2:
        raise ValueError(f"predictions has shape {shape}; kind='multilabel' needs a dimension of labels: (..., labels)")
    if len(shape) == 2:
        return -1
    if len(shape) > 3 and shape[1] == 1:  # an image of one label
        return 1
    raise ValueError(
        f"predictions has shape {shape}, which does not tell along which dimension the labels are; give dim=1 for "
        "(batch, labels, height, width) or dim=-1 for (batch, length, labels)"
    )
