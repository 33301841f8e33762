"""Mesh: sums and largest entries of tensors of which ranks hold parts, each kind in one buffer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradwright.engine.backend import Bound
from gradwright.engine.collective import Local
from gradwright.engine.layout import Sharding


class Mesh(Local):
    """The ranks that share out tensors, which meet once for each sweep that reduces something.

    Ranks that hold the same are never asked: each has the whole answer from those with whom it shares a tensor.

    Args:
        sharding: how these ranks share out the tensors of a batch.
    """

    def __init__(self, sharding: Sharding) -> None:
        self.sharding = sharding
        self.alone = not sharding.cut

    def combine(self, bound: Bound, sweep: int) -> None:
        found = bound.reduced(sweep)
        values = [one.values.to(torch.float64) for one in found]
        for at in range(len(self.sharding.sides)):
            meeting = [k for k, one in enumerate(found) if at in self.sharding.meeting(one.kind)]
            for op in ("sum", "amax"):
                self._meet(at, op, [k for k in meeting if found[k].op == op], values)
        if found and any(self.sharding.meeting(one.kind) for one in found):
            bound.settle(sweep, values)

    def _meet(self, at: int, op: str, which: Sequence[int], values: list[Tensor]) -> None:
        """Complete some values over a dimension of the mesh, in one buffer."""
        mine = [values[k].reshape(-1) for k in which]
        if not sum(map(len, mine)):
            return
        whole = (summed if op == "sum" else largest)(torch.cat(mine), self.sharding.mesh.get_group(at))
        for k, one in zip(which, whole.split(list(map(len, mine)))):
            values[k] = one


def summed(values: Tensor, group: object) -> Tensor:
    """The sums over a group, in place."""
    from torch.distributed import all_reduce

    all_reduce(values, group=group)
    return values


def largest(values: Tensor, group: object) -> Tensor:
    """The largest over a group; NaN where one rank has NaN, for which the backends of torch give no word."""
    from torch.distributed import ReduceOp, all_reduce

    odd = values.isnan()
    both = torch.cat([values.masked_fill(odd, -torch.inf), odd.to(values.dtype)])
    all_reduce(both, ReduceOp.MAX, group=group)
    found, was_odd = both.chunk(2)
    return found.masked_fill(was_odd > 0, torch.nan)
