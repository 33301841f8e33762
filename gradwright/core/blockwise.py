"""Blockwise storage: eight bits a number, and a scale for every 32 of a row.

Groups are 32 consecutive entries of a row, the last of a row may have fewer, and each row begins with a new one: a
shard of whole rows has the codes of the whole tensor. A row is the last dimension; where that is shorter than a group,
it is joined with the dimensions before it but for the first, so that the kernel of a convolution is not all scales.

The scale is the group's largest magnitude, as bfloat16 rounded away from zero, so that no code overflows. A group with
an entry that is not finite has a scale that is not, and all of it decodes to NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradwright.core.counter import Key, uniform
from gradwright.core.storage import Buffer, Storage

GROUP = 32
SMALLEST = 0x00800000
"""The bits of 2⁻¹²⁶: groups of smaller numbers are held as zeros, since their scale has no reciprocal."""


def first_of_row(shape: tuple[int, ...]) -> int:
    """The first dimension of those that make a row."""
    first = max(len(shape) - 1, 0)
    while first > 1 and math.prod(shape[first:]) < GROUP:
        first -= 1
    return first


def scales_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the scales of a tensor: one for each group of each row."""
    first = first_of_row(shape)
    return (*shape[:first], -(-math.prod(shape[first:]) // GROUP))


def grouped(values: Tensor) -> Tensor:
    """Values as rows x groups x 32, with zeros where a row's last group has fewer."""
    row = math.prod(values.shape[first_of_row(tuple(values.shape)) :])
    rows = values.reshape(values.numel() // row, row)
    return torch.nn.functional.pad(rows, (0, -row % GROUP)).unflatten(1, (-1, GROUP))


def ungrouped(groups: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The other way round."""
    row = math.prod(shape[first_of_row(shape) :])
    return groups.flatten(1)[:, :row].reshape(shape)


def scale_of(groups: Tensor) -> Tensor:
    """The largest magnitude of each group as bfloat16, rounded away from zero, as float32.

    It is found among the bits, which order numbers, infinity and NaN as one would wish.
    """
    magnitudes = groups.contiguous().view(torch.int32) & 0x7FFFFFFF
    largest = magnitudes.amax(-1, keepdim=True)
    upper = ((largest + 0xFFFF) >> 16) << 16
    upper = torch.where(largest < SMALLEST, 0, torch.where(largest > 0x7F800000, 0x7FC00000, upper))
    return upper.to(torch.int32).view(torch.float32)


def correct_sqrt(values: Tensor) -> Tensor:
    """The square root, correctly rounded: that of the vector library that torch may use is not, by one last place."""
    return values.double().sqrt().to(torch.float32)


@dataclass(frozen=True)
class Blockwise(Storage):
    """What the two formats of eight bits have in common.

    Args:
        rounding: ``"stochastic"``, whose mean is the value itself, or ``"nearest"``. An average that moves by less than
            half a code a step stands still under the latter.
    """

    rounding: str = "stochastic"
    codes: ClassVar[torch.dtype]
    in_order: ClassVar[bool] = True
    grouped: ClassVar[bool] = True

    @property
    def random(self) -> bool:
        return self.rounding == "stochastic"

    def buffers(self, shape: tuple[int, ...]) -> tuple[Buffer, ...]:
        return Buffer("", shape, self.codes), Buffer(":scale", scales_shape(shape), torch.bfloat16)

    def encode(self, values: Tensor, key: Key = 0) -> tuple[Tensor, ...]:
        shape = tuple(values.shape)
        values = values.to(torch.float32)
        if not values.numel():
            return tuple(torch.zeros(b.shape, dtype=b.dtype, device=values.device) for b in self.buffers(shape))
        groups, bits = grouped(values), grouped(uniform(key, values)) if self.random else None
        codes, scale = self._coded(groups, bits)
        codes = torch.where(scale.isfinite() & (scale > 0), codes, 0)
        return ungrouped(codes, shape).to(self.codes), scale.to(torch.bfloat16).reshape(scales_shape(shape))

    def decode(self, *arrays: Tensor) -> Tensor:
        codes, scales = arrays
        if not codes.numel():
            return codes.to(torch.float32)
        groups = grouped(codes.to(torch.float32))
        scale = scales.to(torch.float32).reshape(*groups.shape[:2], 1)
        return ungrouped(self._decoded(groups, scale), tuple(codes.shape))

    def _coded(self, groups: Tensor, bits: Tensor | None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _decoded(self, codes: Tensor, scale: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class Companded(Blockwise):
    """Numbers of either sign, such as momenta: fine near zero, coarse near the group's largest.

    With x̂ = x / scale, the code is 127 y for y = 2 x̂ / (1 + |x̂|), rounded; back x̂ = y / (2 − |y|), which is
    c / (254 − |c|). The two codes that a value may be rounded to are chosen so that its mean is the value.
    """

    codes: ClassVar[torch.dtype] = torch.int8

    def _coded(self, groups: Tensor, bits: Tensor | None) -> tuple[Tensor, Tensor]:
        scale = scale_of(groups)
        a = (groups.abs() * (1.0 / scale)).clamp(max=1.0)
        y = (254.0 * a) / (1.0 + a)
        if bits is None:
            code = y.round()
        else:
            low = y.floor()
            above = (a * (254.0 - low) - low) * (253.0 - low)
            code = low + (bits * 254.0 < above)
        return torch.where(groups < 0, -code, code), scale

    def _decoded(self, codes: Tensor, scale: Tensor) -> Tensor:
        return codes / (254.0 - codes.abs()) * scale

    def __str__(self) -> str:
        return "8 bits, companded"


@dataclass(frozen=True)
class SquareRoot(Blockwise):
    """Numbers that are never negative, such as second moments.

    The root r = √x is held, with r̂ = r / scale as the code 255 r̂, rounded; back x = (scale · code / 255)². Without the
    root small second moments would become zero. With it those below (1 / 255)² of the largest would still: a number
    that is not zero has a code of at least 1, since a division by the root of zero would turn a step into a leap. The
    two codes that a value may be rounded to are chosen so that the mean of x, not of its root, is the value.
    """

    codes: ClassVar[torch.dtype] = torch.uint8

    def _coded(self, groups: Tensor, bits: Tensor | None) -> tuple[Tensor, Tensor]:
        scale = scale_of(correct_sqrt(groups.abs()))
        t = (correct_sqrt(groups.clamp(min=0.0)) * (1.0 / scale)).clamp(max=1.0) * 255.0
        if bits is None:
            code = t.round()
        else:
            low = t.floor()
            code = low + (bits * (2.0 * low + 1.0) < t * t - low * low)
        return torch.where(groups > 0, code.clamp(min=1.0), 0.0), scale

    def _decoded(self, codes: Tensor, scale: Tensor) -> Tensor:
        root = codes * (scale * (1.0 / 255.0))
        return root * root

    def __str__(self) -> str:
        return "8 bits, square root"
