"""Exchange: matrices that ranks share out go to the rank that computes with the whole, and what it makes comes back.

Who owns a matrix is found from shapes alone, by all ranks alike. Each rank sends its part of a matrix once and receives
its part of the answer once, in one message to each other rank for all matrices of a batch together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradwright.engine.layout import Layout, layout_of

Shape = tuple[int, ...]


def cost(shape: Shape) -> int:
    """How much work a matrix is that is multiplied with itself: m n min(m, n)."""
    rows, columns = shape[0] if shape else 1, math.prod(shape[1:])
    return rows * columns * min(rows, columns)


def deal(costs: Sequence[int], ranks: int) -> list[int]:
    """The owner of each piece of work: the costliest first, each to whoever has least to do by then."""
    owners, loads = [0] * len(costs), [0] * ranks
    for at in sorted(range(len(costs)), key=lambda at: (-costs[at], at)):
        owners[at] = loads.index(min(loads))
        loads[owners[at]] += costs[at]
    return owners


class Exchange:
    """Some matrices, each cut along one dimension over the ranks of one group, and their owners.

    Args:
        params: the matrices, as distributed tensors.
        owners: for each the rank of the group that computes with all of it.
    """

    def __init__(self, params: Sequence[Any], owners: Sequence[int]) -> None:
        self.shapes = [tuple(param.shape) for param in params]
        layouts = [layout for layout in map(layout_of, params) if layout is not None]
        self.dims = [next(iter(layout.dims)) for layout in layouts]
        self.group, self.ranks, me = meeting_of(layouts[0])
        self._of = [[at for at, owner in enumerate(owners) if owner == rank] for rank in range(self.ranks)]
        self.mine = self._of[me]
        """The matrices that this rank owns."""

    def through(self, shards: list[Tensor], run: Callable[[list[Tensor]], list[Tensor]]) -> list[Tensor]:
        """What ``run`` makes of the whole matrices, in shards like those that are given.

        Args:
            shards: this rank's part of each; the list is empty afterwards.
            run: from the matrices that this rank owns to as many answers.
        """
        like, held = shards[0].new_empty(0), [(tuple(shard.shape), shard.stride()) for shard in shards]
        arriving = [[self.shape_on(rank, at) for at in self.mine] for rank in range(self.ranks)]
        parts = self._sent([[shards[at] for at in some] for some in self._of], arriving, like)
        shards.clear()
        whole = [torch.cat(pieces, self.dims[at]) for at, pieces in zip(self.mine, zip(*parts))]
        del parts
        pieces = [self._cut(at, one) for at, one in zip(self.mine, run(whole) if whole else [])]
        back = [[one[rank] for one in pieces] for rank in range(self.ranks)]
        arrived = self._sent(back, [[held[at][0] for at in some] for some in self._of], like)
        found = {at: piece for some, pieces in zip(self._of, arrived) for at, piece in zip(some, pieces)}
        return [_laid_out(found[at], strides) for at, (_, strides) in enumerate(held)]

    def shape_on(self, rank: int, at: int) -> Shape:
        """The shape of the part of a matrix that a rank holds: contiguous blocks, of which the last are shorter."""
        shape, dim = list(self.shapes[at]), self.dims[at]
        block = -(-shape[dim] // self.ranks)
        shape[dim] = max(0, min(block, shape[dim] - rank * block))
        return tuple(shape)

    def _cut(self, at: int, whole: Tensor) -> list[Tensor]:
        dim = self.dims[at]
        return list(whole.split([self.shape_on(rank, at)[dim] for rank in range(self.ranks)], dim))

    def _sent(self, parts: list[list[Tensor]], arriving: list[list[Shape]], like: Tensor) -> list[list[Tensor]]:
        """Send each rank its parts, and return what arrives from each."""
        from torch.distributed import all_to_all_single

        outgoing = [sum(part.numel() for part in some) for some in parts]
        sizes = [[math.prod(shape) for shape in some] for some in arriving]
        sent = torch.cat([like, *(part.reshape(-1) for some in parts for part in some)])
        arrived = like.new_empty(sum(map(sum, sizes)))
        all_to_all_single(arrived, sent, list(map(sum, sizes)), outgoing, group=self.group)
        found = iter(arrived.split([size for some in sizes for size in some]))
        return [[next(found).view(shape) for shape in some] for some in arriving]


def meeting_of(layout: Layout) -> tuple[Any, int, int]:
    """The group whose ranks share out a tensor that is cut once, its size, and which of them this one is."""
    at = next(k for k, dim in enumerate(layout.cuts) if dim is not None)
    return layout.mesh.get_group(at), layout.mesh.size(at), layout.mesh.get_local_rank(at)


def _laid_out(piece: Tensor, strides: tuple[int, ...]) -> Tensor:
    if piece.stride() == strides:
        return piece
    return torch.empty_strided(piece.shape, strides, dtype=piece.dtype, device=piece.device).copy_(piece)
