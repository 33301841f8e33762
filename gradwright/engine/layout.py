"""Layout: how a tensor is spread over the ranks of a mesh, and which ranks hold parts of what is computed of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gradwright.engine.collective import is_spread
from gradwright.engine.operand import COLUMN, ELEMENT, ROW, TENSOR, Folding
from gradwright.engine.program import Program


@dataclass(frozen=True)
class Layout:
    """A tensor on a mesh.

    Args:
        mesh: the ranks, a ``DeviceMesh``.
        cuts: for each dimension of the mesh the dimension of the tensor that its ranks share out; ``None`` where they
            hold the same.
    """

    mesh: Any
    cuts: tuple[int | None, ...]

    @property
    def dims(self) -> frozenset[int]:
        """The dimensions of the tensor along which it is cut."""
        return frozenset(dim for dim in self.cuts if dim is not None)

    def seen(self, folding: Folding | None) -> Sharding:
        """What it is where the tensor is seen as a matrix."""
        return Sharding(self.mesh, tuple(_side(dim, folding) for dim in self.cuts))


@dataclass(frozen=True)
class Sharding:
    """Matrices on a mesh.

    Args:
        mesh: the ranks.
        sides: for each dimension of the mesh what its ranks share out: ``ROW``, ``COLUMN``, or ``ELEMENT`` where a
            tensor is not seen as a matrix; ``None`` where they hold the same.
    """

    mesh: Any
    sides: tuple[int | None, ...]

    def meeting(self, kind: int) -> tuple[int, ...]:
        """The dimensions of the mesh whose ranks each have a part of reductions to this kind."""
        along = {ROW: (COLUMN,), COLUMN: (ROW,), TENSOR: (ROW, COLUMN, ELEMENT)}[kind]
        return tuple(at for at, side in enumerate(self.sides) if side in along)

    @property
    def cut(self) -> bool:
        """Whether a rank may hold less than all of a tensor."""
        return any(side is not None for side in self.sides)


def layout_of(param: Tensor) -> Layout | None:
    """How a parameter is spread; ``None`` where it is not."""
    if not is_spread(param):
        return None
    mesh, placements = param.device_mesh, param.placements  # type: ignore[attr-defined]
    return Layout(mesh, tuple(_cut(placement, ranks) for placement, ranks in zip(placements, mesh.shape)))


def _cut(placement: Any, ranks: int) -> int | None:
    return getattr(placement, "dim", None) if ranks > 1 else None


def _side(dim: int | None, folding: Folding | None) -> int | None:
    if dim is None:
        return None
    return ELEMENT if folding is None else ROW if dim < folding.leading else COLUMN


def served_apart(param: Any, program: Program) -> bool:
    """Whether each rank can run a program on its part of a tensor; every rank has the same answer.

    Not where a rank would have rows without an entry, or vectors of a dimension of one entry, of which only one rank
    has anything; nor, where plain torch stands between two sweeps, of a tensor that is cut twice.
    """
    layout = layout_of(param)
    if layout is None or not layout.dims:
        return True
    if program.links and not is_cut_once(param):
        return False
    if program.folding is None:
        return True
    alone = any(param.shape[dim] == 1 for dim in layout.dims)
    beyond = frozenset(dim for dim in layout.dims if dim >= program.folding.leading)
    return not alone and (not beyond or has_all_ranks(param, beyond))


def is_cut_once(param: Any) -> bool:
    """Whether a tensor lies in contiguous blocks along one dimension, over the ranks of one dimension of its mesh."""
    from torch.distributed.tensor import Shard

    cuts = [placement for placement, ranks in zip(param.placements, param.device_mesh.shape) if ranks > 1]
    cuts = [placement for placement in cuts if getattr(placement, "dim", None) is not None]
    return len(cuts) == 1 and type(cuts[0]) is Shard


def has_all_ranks(param: Any, dims: frozenset[int]) -> bool:
    """Whether every rank has an entry along these dimensions."""
    sizes = list(param.shape)
    for ranks, placement in zip(param.device_mesh.shape, param.placements):
        if (dim := getattr(placement, "dim", None)) in dims:
            sizes[dim] = -(-sizes[dim] // ranks)
            if sizes[dim] * (ranks - 1) >= param.shape[dim]:
                return False
    return True
