"""Inner products of tensors, in double where the device has it."""

from __future__ import annotations

import torch
from torch import Tensor


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Σ a b, one number."""
    return (a * b).sum(dtype=torch.float32 if a.device.type == "mps" else torch.float64)
