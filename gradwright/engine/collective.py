"""Collective: how the ranks that hold one model agree on sums."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import Tensor

from gradwright.core import Total
from gradwright.engine.backend import Bound


class Collective(Protocol):
    """What a step asks of other ranks.

    Attributes:
        alone: whether every tensor is whole on this rank, so that reductions are complete when their sweep ends.
    """

    alone: bool

    def combine(self, bound: Bound, sweep: int) -> None:
        """Complete what a sweep reduced, over the ranks that hold parts of these tensors."""

    def total(self, asked: Iterable[Total]) -> dict[str, Any]:
        """Sums by name over all parameters of all ranks: one tensor, or a tuple where a total has several parts."""


class Local:
    """One rank that holds everything."""

    alone = True

    def combine(self, bound: Bound, sweep: int) -> None:
        """Nothing is left to do: what a sweep reduced is whole."""

    def total(self, asked: Iterable[Total]) -> dict[str, Any]:
        """Sums in float64 where the device has it.

        A part that is spread over ranks, as those of distributed tensors are, is gathered first: its value is that of
        the whole tensor, on every rank, beside those of tensors that every rank holds.
        """
        sums: dict[str, tuple[Tensor, ...]] = {}
        for total in asked:
            parts = tuple(whole(part).to(_widest(part)) for part in total.parts)
            if total.name in sums:
                parts = tuple(old + part.to(old.device) for old, part in zip(sums[total.name], parts))
            sums[total.name] = parts
        return {name: parts[0] if len(parts) == 1 else parts for name, parts in sums.items()}


LOCAL = Local()


class Early(Local):
    """Some tensors that step before the others have their gradients, so that no sum over all is known."""

    def total(self, asked: Iterable[Total]) -> dict[str, Any]:
        if names := sorted({total.name for total in asked}):
            raise RuntimeError(
                f"a recipe asks for the total {names[0]!r} over all parameters, which is not known before the last "
                "gradient is; step without gradwright.training.release"
            )
        return {}


def is_spread(value: Any) -> bool:
    """Whether a tensor stands for one that is spread over ranks: a ``DTensor``."""
    return hasattr(value, "full_tensor")


def whole(value: Tensor) -> Tensor:
    """All of a tensor, on every rank; one that is not spread as it is."""
    return value.full_tensor() if is_spread(value) else value  # type: ignore[attr-defined]


def local(value: Any) -> Tensor:
    """What this rank holds of a tensor, arrived where it is under way."""
    if not is_spread(value):
        return value
    shard = value._local_tensor  # the object itself, of which to_local() would make a view at every step
    return shard.wait() if hasattr(shard, "wait") else shard


def spread_like(value: Tensor, like: Any) -> Tensor:
    """A tensor spread as ``like`` is: one that every rank holds all of without a word between ranks."""
    if not is_spread(value):
        value = replicated(value, like)
    if value.device_mesh == like.device_mesh and value.placements == like.placements:  # type: ignore[attr-defined]
        return value
    return value.redistribute(like.device_mesh, like.placements)  # type: ignore[attr-defined]


def replicated(value: Tensor, like: Any) -> Tensor:
    """A tensor that every rank holds all of, as one on the mesh of ``like``."""
    from torch.distributed.tensor import DTensor, Replicate

    mesh = like.device_mesh
    return DTensor.from_local(value, mesh, [Replicate()] * mesh.ndim, run_check=False)


def placements_beside(param: Any, shape: tuple[int, ...]) -> Any:
    """How an array of state is spread beside a parameter; ``None`` where it is a plain one, which every rank has.

    An array that keeps some dimensions of the parameter is cut along these as the parameter is.
    """
    if not is_spread(param):
        return None
    mine = tuple(param.shape)
    if shape == mine:
        return tuple(param.placements)
    keeps = len(shape) == len(mine) and all(size in (1, whole) for size, whole in zip(shape, mine))
    if not keeps or max(shape, default=1) == 1:
        return None
    from torch.distributed.tensor import Replicate

    cuts = [getattr(placement, "dim", None) for placement in param.placements]
    kept = [dim is not None and shape[dim] == mine[dim] > 1 for dim in cuts]
    return tuple(placement if keep else Replicate() for placement, keep in zip(param.placements, kept))


def spread_alike(value: Any, param: Any) -> bool:
    """Whether an array of state is spread as it must be beside its parameter."""
    expected = placements_beside(param, tuple(value.shape))
    if expected is None or not is_spread(value):
        return is_spread(value) == (expected is not None)
    return value.device_mesh == param.device_mesh and tuple(value.placements) == expected


def spread_full(shape: tuple[int, ...], start: float, dtype: torch.dtype, param: Any, placements: Any) -> Tensor:
    """An array of one value on the mesh of a parameter, without a word between ranks."""
    from torch.distributed.tensor import full

    return full(shape, start, dtype=dtype, device_mesh=param.device_mesh, placements=placements)


def filled(target: Tensor, value: Tensor) -> Tensor:
    """``target`` after values were copied into it, of which each may be spread, or both, or neither."""
    if is_spread(target):
        return target.copy_(spread_like(value, target))
    return target.copy_(whole(value))


def fills_all_ranks(tensor: Any) -> bool:
    """Whether every rank holds an entry of a tensor that is spread: the largest of none is not defined."""
    sizes = list(tensor.shape)
    for ranks, placement in zip(tensor.device_mesh.shape, tensor.placements):
        if (dim := getattr(placement, "dim", None)) is not None:
            sizes[dim] = -(-sizes[dim] // ranks)
            if sizes[dim] * (ranks - 1) >= tensor.shape[dim]:
                return False
    return True


def mean_loss(loss: Tensor, params: Iterable[Tensor]) -> Tensor:
    """The mean of a loss over the ranks that hold these parameters, as the gradients of sharded models are means.

    Parameters on several meshes count by the one of most ranks.
    """
    mesh, device = _largest_mesh(params)
    return loss if mesh is None else _over_ranks(loss.to(device, copy=True), mesh) / mesh.size()


def any_rank(flag: Tensor, params: Iterable[Tensor]) -> Tensor:
    """Whether a flag is set on one of the ranks that hold these parameters; every rank gets the same answer."""
    mesh, device = _largest_mesh(params)
    return flag if mesh is None else _over_ranks(flag.to(device, torch.float32), mesh) > 0


def _largest_mesh(params: Iterable[Tensor]) -> tuple[Any, torch.device | None]:
    """The mesh of most ranks over which one of these is spread, and the device there."""
    meshes = [(param.device_mesh, param.device) for param in params if is_spread(param)]  # type: ignore[attr-defined]
    return max(meshes, key=lambda one: one[0].size()) if meshes else (None, None)


def _over_ranks(value: Tensor, mesh: Any) -> Tensor:
    """The sum over the ranks of a mesh, in the place of this rank's."""
    from torch.distributed import all_reduce

    for group in mesh.get_all_groups():
        all_reduce(value, group=group)
    return value


def _widest(part: Tensor) -> torch.dtype:
    return torch.float32 if part.device.type == "mps" else torch.float64
