"""Access: how the eager engine reads a tensor that one rank or several hold, and writes it again."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from gradwright.engine.collective import fills_all_ranks, is_spread, replicated, spread_like, whole


class Access(Protocol):
    """What stands between an update and the tensors it reads and writes."""

    def read(self, tensor: Tensor) -> Tensor:
        """A parameter, its gradient or its state, as an update sees it: complex numbers as pairs of real ones."""

    def write(self, old: Tensor, value: Tensor) -> None:
        """Put what an update made in place of what it was made from."""


class Direct:
    """A tensor of this rank alone."""

    def read(self, tensor: Tensor) -> Tensor:
        return as_real(tensor)

    def write(self, old: Tensor, value: Tensor) -> None:
        as_real(old).copy_(value)


class Sharded:
    """A tensor that is spread over ranks, by torch's own rules: each rank computes its share, and sums meet.

    State that is smaller than its parameter is whole on every rank.

    Args:
        param: the parameter; its gradient and its state follow it.
    """

    def __init__(self, param: Tensor) -> None:
        self.param = param

    def read(self, tensor: Tensor) -> Tensor:
        return spread_like(tensor, self.param) if is_spread(tensor) else replicated(tensor, self.param)

    def write(self, old: Tensor, value: Tensor) -> None:
        old.copy_(spread_like(value, old) if is_spread(old) else whole(value))


class Gathered:
    """A tensor that is spread over ranks, for an update that torch cannot share out: every rank computes all of it.

    Each rank gathers all and keeps its share of the answer. This holds for every update there is.
    """

    def read(self, tensor: Tensor) -> Tensor:
        return as_real(whole(tensor))

    def write(self, old: Tensor, value: Tensor) -> None:
        if not is_spread(old):
            old.copy_(value)
            return
        value = torch.view_as_complex(value.contiguous()) if old.is_complex() else value
        old.copy_(spread_like(value.to(old.dtype), old))


class Masked:
    """A step of which the device knows whether it is taken: if it is not, what is written is what stood there.

    Args:
        access: how tensors are read and written.
        good: whether it is taken.
    """

    def __init__(self, access: Access, good: Tensor) -> None:
        self.access, self.good = access, good

    def read(self, tensor: Tensor) -> Tensor:
        return self.access.read(tensor)

    def write(self, old: Tensor, value: Tensor) -> None:
        now = self.access.read(old)
        self.access.write(old, torch.where(self.good, value.to(now.dtype), now))


DIRECT, GATHERED = Direct(), Gathered()


def access_to(param: Tensor, traceable: bool) -> Access:
    """How to reach a parameter.

    Args:
        param: the parameter.
        traceable: whether its update is made of the operations of :mod:`gradwright.engine.ops` alone, all of which
            torch can share out among ranks.
    """
    if not is_spread(param):
        return DIRECT
    return Sharded(param) if traceable and not param.is_complex() and fills_all_ranks(param) else GATHERED


def as_real(tensor: Tensor) -> Tensor:
    """A complex tensor as its real parts, in place; any other as it is."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
