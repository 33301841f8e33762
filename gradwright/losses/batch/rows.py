"""Rows: logits and targets of any layout, brought into one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gradwright.losses.batch import checks


def computing(dtype: torch.dtype) -> torch.dtype:
    """The type a loss is computed in: float32 for half types, otherwise the type itself."""
    return torch.promote_types(dtype, torch.float32)


class Rows(NamedTuple):
    """One row of logits per sample, with what it is compared to.

    Attributes:
        logits: ``(..., C)`` in the computing type; rows that do not count hold zeros, so that nothing leaks from them.
        label: ``(...)``, the class of each row; 0 where a row does not count. None if the target is soft.
        soft: ``(..., C)``, the probabilities of the classes. None if the target is an index.
        weight: ``(...)``, what each row counts: sample weight, 0 where ignored. None if all count one. It may be
            differentiated.
        classes: ``(C,)``, the class weights in the computing type. None if all are one.
    """

    logits: Tensor
    label: Tensor | None
    soft: Tensor | None
    weight: Tensor | None
    classes: Tensor | None


def rows(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int | None = None,
    dim: int = -1,
) -> Rows:
    """Bring the classes to the last dimension, widen half types, check what can be checked, blank ignored rows."""
    _floating("logits", logits)
    if logits.dim() == 0:
        raise ValueError("logits is a single number; it needs a dimension of classes")
    if not -logits.dim() <= dim < logits.dim():
        raise ValueError(f"dim={dim} is not a dimension of logits, whose shape is {tuple(logits.shape)}")
    x = logits.movedim(dim, -1)
    classes = x.shape[-1]
    if classes == 0:
        raise ValueError(f"logits of shape {tuple(logits.shape)} have no classes along dim={dim}")
    index, soft, valid = None, None, None
    if target.is_floating_point():
        _same_shape("target", target, logits)
        soft = target.movedim(dim, -1)
    else:
        _index_shape(target, x, logits, dim)
        index = target.long()
        valid = index != ignore_index if ignore_index is not None else None
    counts = sample_weights(sample_weight, x)
    if (some := counted_rows(sample_weight)) is not None:
        valid = some if valid is None else valid & some
    if index is not None:
        checks.indices_are_classes(index, valid, classes, ignore_index)
    if soft is not None:
        checks.rows_are_distributions(soft, valid, dim)
    checks.logits_are_numbers(x, valid, dim)
    x = x.to(computing(x.dtype))
    counted = None
    if valid is not None and not (checks.visible(valid) and bool(valid.all())):
        x = torch.where(valid.unsqueeze(-1), x, 0.0)
        index = torch.where(valid, index, 0) if index is not None else None
        counted = valid.to(x.dtype)
    if counts is not None:
        counted = counts if counted is None or valid is None else torch.where(valid, counts, 0.0)
    if soft is not None:
        soft = soft.to(x.dtype)
        soft = torch.where(valid.unsqueeze(-1), soft, 0.0) if counted is not None and valid is not None else soft
    return Rows(x, index, soft, counted, class_weights("weight", weight, x))


def class_weights(name: str, weight: Tensor | None, x: Tensor) -> Tensor | None:
    """One weight for each class, in the computing type."""
    if weight is None:
        return None
    if weight.shape != x.shape[-1:]:
        raise ValueError(f"{name} has shape {tuple(weight.shape)}; it must be ({x.shape[-1]},), one for each class")
    checks.at_least_zero(weight, checks.entry(name), "class weights must not be negative")
    return weight.to(x.dtype)


def sample_weights(sample_weight: Tensor | None, x: Tensor) -> Tensor | None:
    """One weight for each row of ``x``, in the computing type."""
    if sample_weight is None:
        return None
    if sample_weight.shape != x.shape[:-1]:
        shape = tuple(sample_weight.shape)
        raise ValueError(f"sample_weight has shape {shape}; it must be {tuple(x.shape[:-1])}, one for each sample")
    checks.at_least_zero(sample_weight, checks.entry("sample_weight"), "sample weights must not be negative")
    return sample_weight.to(computing(x.dtype))


def counted_rows(sample_weight: Tensor | None) -> Tensor | None:
    """Where a row has a part: its weight is not 0. None if all have.

    If the weights are differentiated, all have: the loss of a row of weight 0 is the derivative by its weight.
    """
    if sample_weight is None or checks.differentiated(sample_weight):
        return None
    if checks.forward() and not checks.real(sample_weight):  # of a transform, which may have given it a tangent
        return None
    return sample_weight != 0


def _floating(name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise TypeError(f"{name} has dtype {tensor.dtype}; it must be a floating type")


def _same_shape(name: str, tensor: Tensor, logits: Tensor) -> None:
    if tensor.shape != logits.shape:
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)} and a floating type, so it is read as one number for each class, "
            f"but logits have shape {tuple(logits.shape)}; give the same shape, or integers for class indices"
        )


def _index_shape(target: Tensor, x: Tensor, logits: Tensor, dim: int) -> None:
    if target.is_complex():
        raise TypeError(f"target has dtype {target.dtype}; give integers for class indices, or floats")
    if target.shape == x.shape[:-1]:
        return
    here = f"target has shape {tuple(target.shape)}, but logits of shape {tuple(logits.shape)} with dim={dim}"
    if target.shape == logits.shape:
        raise ValueError(
            f"{here} take one index for each row; a target with one number for each class must be of a floating type"
        )
    other = next((d for d in range(logits.dim()) if target.shape == logits.shape[:d] + logits.shape[d + 1 :]), None)
    way = f"; the classes seem to be along dim={other}" if other is not None else ""
    raise ValueError(f"{here} need a target of shape {tuple(x.shape[:-1])}{way}")


class BinaryRows(NamedTuple):
    """Scores of independent labels, with the answers they are compared to.

    Attributes:
        logits: ``(..., C)`` in the computing type, 0 where an entry does not count.
        target: ``(..., C)``, in [0, 1]; 0 where an entry does not count.
        mask: ``(..., C)``, True where an entry counts. None if none was given.
        weight: ``(...)``, what each row counts. None if all count one.
    """

    logits: Tensor
    target: Tensor
    mask: Tensor | None
    weight: Tensor | None


def binary_rows(
    logits: Tensor, target: Tensor, mask: Tensor | None, dim: int = -1, sample_weight: Tensor | None = None
) -> BinaryRows:
    """Bring the labels to the last dimension, widen half types, check and blank as :func:`rows` does."""
    _floating("logits", logits)
    if target.shape != logits.shape:
        raise ValueError(
            f"target has shape {tuple(target.shape)}; it must be {tuple(logits.shape)}, one number for each logit"
        )
    if mask is not None and (mask.shape != logits.shape or mask.dtype != torch.bool):
        raise ValueError(
            f"mask has shape {tuple(mask.shape)} and dtype {mask.dtype}; it must be {tuple(logits.shape)} and bool, "
            "True where an entry counts"
        )
    if logits.dim():
        if not -logits.dim() <= dim < logits.dim():
            raise ValueError(f"dim={dim} is not a dimension of logits, whose shape is {tuple(logits.shape)}")
        logits, target = logits.movedim(dim, -1), target.movedim(dim, -1)
        mask = mask.movedim(dim, -1) if mask is not None else None
    counts = sample_weights(sample_weight, logits)
    valid = mask
    if (some := counted_rows(sample_weight)) is not None:
        valid = some.unsqueeze(-1) if mask is None else mask & some.unsqueeze(-1)
        valid = valid.expand_as(logits)
    checks.entries_are_shares(target, valid, dim)
    checks.logits_are_numbers(logits, valid, dim, each=True)
    x = logits.to(computing(logits.dtype))
    t = target.to(x.dtype)
    if valid is not None:
        x, t = torch.where(valid, x, 0.0), torch.where(valid, t, 0.0)
    return BinaryRows(x, t, mask, counts)
