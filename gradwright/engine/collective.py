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
            parts = tuple(_whole(part).to(_widest(part)) for part in total.parts)
            if total.name in sums:
                parts = tuple(old + part.to(old.device) for old, part in zip(sums[total.name], parts))
            sums[total.name] = parts
        return {name: parts[0] if len(parts) == 1 else parts for name, parts in sums.items()}


LOCAL = Local()


def _whole(part: Tensor) -> Tensor:
    return part.full_tensor() if hasattr(part, "full_tensor") else part


def _widest(part: Tensor) -> torch.dtype:
    return torch.float32 if part.device.type == "mps" else torch.float64
