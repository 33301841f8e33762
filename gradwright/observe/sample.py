"""Even samples of tensors: rows of one matrix, so that all parameters are measured by a few operations at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def local(tensor: Tensor) -> Tensor:
    """The real entries of a tensor that this rank has: the shard of a distributed one, both halves of a complex one."""
    found = tensor.detach()
    if hasattr(found, "to_local"):
        found = found.to_local()
    if found.layout is not torch.strided:
        found = found.to_dense()
    return torch.view_as_real(found) if found.is_complex() else found


def stride_for(entries: int, limit: int) -> int:
    """The distance of sampled entries: without a factor in common with the size, so that no column is favoured."""
    stride = -(-entries // limit) if entries else 1
    while math.gcd(stride, entries) > 1:
        stride += 1
    return stride


def sampled(tensor: Tensor, limit: int) -> Tensor:
    """At most ``limit`` entries of what this rank has, evenly spaced; all where there are no more."""
    flat = local(tensor).reshape(-1)
    return flat if flat.numel() <= limit else flat[:: stride_for(flat.numel(), limit)]


def rows(samples: Sequence[Tensor | None], width: int, device: torch.device) -> Tensor:
    """Samples as rows of one matrix in double precision, zeros beyond their ends.

    Args:
        samples: of at most ``width`` entries each; ``None`` is a row of zeros.
        width: of the matrix.
        device: where it is made.
    """
    found = torch.zeros(len(samples), width, dtype=wide_type(device), device=device)
    there = [(row, sample) for row, sample in zip(found, samples) if sample is not None]
    if there:
        torch._foreach_copy_([row[: sample.numel()] for row, sample in there], [sample for _, sample in there])
    return found


def wide_type(device: torch.device) -> torch.dtype:
    """Double precision, where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64
