"""Weights in half precision that learn: a bfloat16 weight of 1 does not see a step below 0.002, and these do.

A split weight is two arrays: the model's own, in half precision, and beside it what rounding took away. Whoever writes
the model's weights (a checkpoint, a clip) need not know of the second: it is never more than half a last place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.core.counter import Key, bits
from gradwright.core.storage import Buffer, Storage

LAST_PLACE = {torch.bfloat16: -7, torch.float16: -10}
"""The last place of a number from 1 on and below 2 in each half type, as a power of two."""
EXPONENT = 0x7F800000
SMALLEST_EXPONENT = {torch.bfloat16: 0x00800000, torch.float16: 0x38800000}
"""The exponent below which the last place does not shrink any more, as bits of float32."""


def _int(values: Tensor) -> Tensor:
    return values.contiguous().view(torch.int32)


def power_below(half: Tensor) -> Tensor:
    """The power of two in whose units the last place of half-precision numbers is counted, as float32."""
    exponent = _int(half.to(torch.float32)) & EXPONENT
    return exponent.clamp(min=SMALLEST_EXPONENT[half.dtype]).view(torch.float32)


@dataclass(frozen=True)
class Split24(Storage):
    """A half-precision weight and eight bits of what its rounding took away.

    With e = w − half(w), at most half a last place u, the code is 127 e / (u / 2), rounded; back w = half + code / 127
    · u / 2. Numbers without a normal exponent have the last place of the smallest one. 3 bytes a weight.

    Args:
        dtype: the model's type, bfloat16 or float16.
    """

    dtype: torch.dtype

    @property
    def factor(self) -> float:
        """How many codes there are in a unit of :func:`power_below`."""
        return 127.0 * 2.0 ** (1 - LAST_PLACE[self.dtype])

    def buffers(self, shape: tuple[int, ...]) -> tuple[Buffer, ...]:
        return Buffer("", shape, self.dtype), Buffer(":low", shape, torch.int8)

    def encode(self, values: Tensor, key: Key = 0) -> tuple[Tensor, ...]:
        half = values.to(self.dtype)
        away = (values - half.to(torch.float32)) / power_below(half) * self.factor
        code = torch.where(half.isfinite() & away.isfinite(), away.round().clamp(-127.0, 127.0), 0.0)
        return half, code.to(torch.int8)

    def decode(self, *arrays: Tensor) -> Tensor:
        half, code = arrays
        whole = half.to(torch.float32)
        away = code.to(torch.float32) * (1.0 / self.factor) * power_below(half)
        return torch.where(whole.isfinite(), whole + away, whole)

    def __str__(self) -> str:
        return f"{str(self.dtype).removeprefix('torch.')} and 8 bits"


@dataclass(frozen=True)
class Split32(Storage):
    """A bfloat16 weight and the 16 bits that make it the float32 number that it was rounded from, exactly.

    The second array is the difference of the two bit patterns. 16 bits name 65,536 differences, and rounding to even
    needs one more: so a number half way between two of bfloat16 is rounded away from zero. 4 bytes a weight.
    """

    def buffers(self, shape: tuple[int, ...]) -> tuple[Buffer, ...]:
        return Buffer("", shape, torch.bfloat16), Buffer(":low", shape, torch.int16)

    def encode(self, values: Tensor, key: Key = 0) -> tuple[Tensor, ...]:
        pattern = _int(values.to(torch.float32))
        upper = ((pattern.to(torch.int64) + 0x8000) >> 16) << 16
        upper = torch.where(values.isnan(), 0x7FC00000, upper)
        lower = torch.where(values.isnan(), 0, pattern.to(torch.int64) - upper)
        return _from_bits(upper).to(torch.bfloat16), lower.to(torch.int16)

    def decode(self, *arrays: Tensor) -> Tensor:
        half, lower = arrays
        return (_int(half.to(torch.float32)) + lower.to(torch.int32)).view(torch.float32)

    def __str__(self) -> str:
        return "bfloat16 and 16 bits, exactly float32"


@dataclass(frozen=True)
class Stochastic(Storage):
    """A half-precision number whose rounding is drawn, so that its mean is the number. 2 bytes.

    Random bits are added below the cut, and what is below it is dropped.

    Args:
        dtype: bfloat16 or float16.
    """

    dtype: torch.dtype
    in_order: ClassVar[bool] = True

    @property
    def random(self) -> bool:
        return True

    def buffers(self, shape: tuple[int, ...]) -> tuple[Buffer, ...]:
        return (Buffer("", shape, self.dtype),)

    def encode(self, values: Tensor, key: Key = 0) -> tuple[Tensor, ...]:
        values = values.to(torch.float32)
        if self.dtype == torch.bfloat16:
            drawn = _int(values).to(torch.int64) + (bits(key, values) >> 16)
            drawn = torch.where(values.isnan(), 0x7FC00000, drawn)
            return (_from_bits((drawn >> 16) << 16).to(torch.bfloat16),)
        power = (_int(values) & EXPONENT).clamp(min=SMALLEST_EXPONENT[torch.float16]).view(torch.float32)
        # thirteen bits are below the cut
        drawn = values / power * 1024.0 + (bits(key, values) >> 19).to(torch.float32) * 2.0**-13
        return (torch.where(values.isfinite(), drawn.floor() * 2.0**-10 * power, values).to(torch.float16),)

    def decode(self, *arrays: Tensor) -> Tensor:
        return arrays[0]

    def __str__(self) -> str:
        return f"{str(self.dtype).removeprefix('torch.')}, stochastically rounded"


def _from_bits(pattern: Tensor) -> Tensor:
    """float32 numbers of these patterns, which may be larger than an int32."""
    wrapped = torch.where(pattern >= 2**31, pattern - 2**32, pattern)
    return wrapped.to(torch.int32).view(torch.float32)
