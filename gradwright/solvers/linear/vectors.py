"""Small helpers on flat vectors: sums in float64, and the one scale-free test of a product."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def dot(a: Tensor, b: Tensor) -> float:
    """aᵀb, summed in float64 where the device has it."""
    return float(torch.dot(widen(a), widen(b)))


def norm(a: Tensor) -> float:
    """‖a‖, without overflow or underflow in between."""
    largest = largest_entry(a)
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(torch.linalg.vector_norm(widen(a) / largest))


def largest_entry(a: Tensor) -> float:
    """‖a‖∞; zero for an empty vector, NaN where an entry is NaN."""
    return float(a.abs().max()) if a.numel() else 0.0


def widen(a: Tensor) -> Tensor:
    """The vector in float64, except on devices that have none."""
    return a if a.device.type == "mps" else a.double()


def power_of_two(size: Tensor) -> Tensor:
    """The power of two at or below each size, so that dividing by it changes no digit; 1 for zero."""
    most = 1000 if size.dtype == torch.float64 else 120
    exponents = (torch.frexp(size).exponent - 1).clamp(-most, most)
    return torch.where(size > 0, torch.ldexp(torch.ones_like(size), exponents), 1.0)


def finite(a: Tensor) -> bool:
    """Whether every entry is finite."""
    return bool(a.isfinite().all())


def significant(product: float, a: Tensor, b: Tensor, eps: float, factor: float = 10.0) -> bool:
    """Whether aᵀb > factor · eps · ‖a‖ ‖b‖: positive by more than rounding, whatever the units."""
    return product > factor * eps * norm(a) * norm(b)
