"""Blocks of rows that stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator


def block_size(d: int) -> int:
    """Rows of a block whose copies stay small beside X."""
    return int(min(max(2**18 // max(d, 1), 64), 16384))


def blocks(n: int, size: int) -> Iterator[slice]:
    """Places of blocks of ``size`` rows out of n."""
    for low in range(0, n, size):
        yield slice(low, min(low + size, n))
