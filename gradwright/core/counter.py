"""Counter: random bits that are a hash of where and when they are used, never of a generator's past.

The bits of an entry depend on a seed, the parameter's place in its optimizer, its step, the name of the array and the
entry's place in it; where micro-batches are gathered in state, the seed counts them. So every engine, every resumed
run and every shard of whole rows rounds alike.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import torch
from torch import Tensor

WORD = 0xFFFFFFFF
SPREAD = 0x9E3779B9
"""By which the places of entries are multiplied before they are mixed: 2³² divided by the golden ratio."""
FIRST, SECOND = 0x7FEB352D, 0x846CA68B
"""The multipliers of the mixing: "lowbias32" of Wellons' search for integer hashes."""


def mixed(x: Any) -> Any:
    """32 bits in which every bit of ``x`` has a say; of a number, or of each in a tensor or array of int64.

    >>> hex(mixed(1))
    '0x688990c0'
    """
    x = x & WORD
    x = ((x ^ x >> 16) * FIRST) & WORD
    x = ((x ^ x >> 15) * SECOND) & WORD
    return x ^ x >> 16


def key_of(index: int, step: float, seed: int = 0) -> int:
    """The key of a parameter at a step.

    Args:
        index: its place among the parameters of its optimizer.
        step: how many steps it has taken, this one included.
        seed: another one gives other bits.
    """
    return mixed(mixed(mixed(seed) + index) + int(step))


def salt_of(name: str) -> int:
    """What tells the arrays beside one parameter apart: XORed with its key."""
    return zlib.crc32(name.encode())


Key = int | Tensor
"""What random bits are drawn by: one key for a tensor, or one for each row (int64, of a shape that broadcasts)."""


def bits(key: Key, like: Tensor) -> Tensor:
    """32 random bits for each entry of a tensor, in its logical order, as int64."""
    places = torch.arange(like.numel(), dtype=torch.int64, device=like.device).reshape(like.shape)
    return mixed(places * SPREAD + key)


def keys_of_rows(key: int, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The keys by which some rows of a table draw the bits that they would draw in the table.

    Args:
        key: the table's.
        rows: which they are.
        shape: of a tensor of these rows.
    """
    here = torch.arange(len(rows), dtype=torch.int64, device=rows.device)
    ahead = (rows - here) * math.prod(shape[1:]) & WORD
    return (ahead * SPREAD + key).view(-1, *(1,) * (len(shape) - 1)) & WORD


def uniform(key: Key, like: Tensor) -> Tensor:
    """A number from 0 on and below 1 for each entry, a multiple of 2⁻²⁴, as float32."""
    return (bits(key, like) >> 8).to(torch.float32) * 2.0**-24


def normal(key: int, like: Tensor) -> Tensor:
    """A standard normal number for each entry of a tensor, in its type, by Box and Muller's way in double precision."""
    first, second = (bits(key ^ salt_of(word), like).to(torch.float64) for word in ("radius", "angle"))
    radius = torch.sqrt(-2 * torch.log((first + 0.5) / 2.0**32))
    return (radius * torch.cos(second * (2 * math.pi / 2.0**32))).to(like.dtype)
