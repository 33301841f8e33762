"""Sums of probes over the ranks that share a tensor (FSDP2, tensor parallelism): each entry counts once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor


def over_ranks(sums: Tensor, most: Tensor, params: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sums and maxima of rows over the meshes of their parameters; rows of plain tensors as they are.

    Args:
        sums: shape (rows, numbers). NaN stays NaN.
        most: maxima, shape (rows,).
        params: of the rows. All ranks of a mesh have the same ones in the same order.
    """
    meshes = [getattr(param, "device_mesh", None) for param in params]
    for mesh in dict.fromkeys(mesh for mesh in meshes if mesh is not None):
        mine = [row for row, other in enumerate(meshes) if other == mesh]
        at = torch.tensor(mine, device=sums.device)
        some, some_most = sums[at], most[at]
        for dim in range(mesh.ndim):
            group = mesh.get_group(dim)
            whole = [not params[row].placements[dim].is_shard() for row in mine]  # type: ignore[attr-defined]
            some[torch.tensor(whole, device=some.device)] /= mesh.size(dim)
            dist.all_reduce(some, group=group)
            dist.all_reduce(some_most, dist.ReduceOp.MAX, group=group)
        sums[at], most[at] = some, some_most
    return sums, most
