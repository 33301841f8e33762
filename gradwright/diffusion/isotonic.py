"""Isotonic regression: the nearest curve that never falls."""

from __future__ import annotations

import torch
from torch import Tensor


def isotonic(values: Tensor, weights: Tensor) -> Tensor:
    """argmin Σ wᵢ (yᵢ − xᵢ)² over y₁ ≤ y₂ ≤ ...: neighbours that fall are pooled into their mean.

    Args:
        values: x, shape (T,).
        weights: w, positive, shape (T,).
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist()):
        length = 1
        while blocks and blocks[-1][0] >= value:
            before, heft, span = blocks.pop()
            value = (heft * before + weight * value) / (heft + weight)
            weight, length = weight + heft, length + span
        blocks.append((value, weight, length))
    return torch.cat([values.new_full((length,), value) for value, _, length in blocks])
