"""Signs in few bits: the direction of every entry of a tensor, packed into bytes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Signs = Literal["ternary", "binary"]

DIGITS: dict[str, tuple[int, int]] = {"ternary": (3, 5), "binary": (2, 8)}
"""The base, and how many digits of it fit into a byte: 3⁵ = 243 and 2⁸ = 256."""


def packed_size(count: int, signs: Signs) -> int:
    """How many bytes the signs of ``count`` numbers take."""
    _, width = DIGITS[signs]
    return -(-count // width)


def pack(values: Tensor, signs: Signs) -> Tensor:
    """The signs of ``values`` (any shape) as bytes: five to a byte with zeros told apart, or eight without.

    >>> pack(torch.tensor([2.0, 0.0, -1.0]), "ternary")
    tensor([19], dtype=torch.uint8)
    >>> unpack(pack(torch.tensor([2.0, 0.0, -1.0]), "ternary"), 3, "ternary")
    tensor([ 1.,  0., -1.])
    """
    base, width = DIGITS[signs]
    flat = values.reshape(-1)
    # a zero byte means zeros, or minus signs where there are but two: what state starts as
    digits = (flat > 0).to(torch.uint8)
    if signs == "ternary":
        digits = digits + 2 * (flat < 0).to(torch.uint8)
    digits = torch.nn.functional.pad(digits, (0, packed_size(len(flat), signs) * width - len(flat)))
    return (digits.view(-1, width) * _powers(base, width, values.device)).sum(1, dtype=torch.uint8)


def unpack(packed: Tensor, count: int, signs: Signs, dtype: torch.dtype = torch.float32) -> Tensor:
    """The first ``count`` signs, as 1, 0 and −1."""
    base, width = DIGITS[signs]
    digits = (packed[:, None] // _powers(base, width, packed.device) % base).reshape(-1)[:count].to(dtype)
    return digits * (5 - 3 * digits) / 2 if signs == "ternary" else 2 * digits - 1


def _powers(base: int, width: int, device: torch.device) -> Tensor:
    """1, b, b², ... made on the device, so that none of it is copied there at every step."""
    return torch.pow(base, torch.arange(width, dtype=torch.uint8, device=device))
