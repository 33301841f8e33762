"""Agreement: whether all ranks of a mesh are about to do the same, asked before anything that would wait for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch


def first_difference(facts: Sequence[str], mesh: Any, device: torch.device) -> tuple[int, str, str] | None:
    """Where the ranks of a mesh differ in what they are about to do; ``None`` where they are of one mind.

    A number of 62 bits is compared over each dimension of the mesh; where it differs the facts themselves are sent.

    Args:
        facts: what this rank is about to do, one thing a line.
        mesh: the ranks.
        device: where their tensors are.

    Returns:
        Another rank, what this one does, and what that one does.
    """
    from torch.distributed import ReduceOp, all_reduce

    mine = int.from_bytes(hashlib.sha256("\n".join(facts).encode()).digest()[:8], "big") >> 2
    ends = torch.tensor([mine, -mine], dtype=torch.int64, device=device)
    for group in mesh.get_all_groups():
        all_reduce(ends, ReduceOp.MAX, group=group)
    largest, smallest = ends.tolist()
    if largest == -smallest:
        return None
    return _told(facts, mesh)


def _told(facts: Sequence[str], mesh: Any) -> tuple[int, str, str]:
    from torch.distributed import all_gather_object, get_process_group_ranks

    for group in mesh.get_all_groups():
        ranks = get_process_group_ranks(group)
        everyone: list[Any] = [None] * len(ranks)
        all_gather_object(everyone, list(facts), group=group)
        for rank, its in zip(ranks, everyone):
            if its != list(facts):
                return (rank, *_apart(facts, its))
    return -1, "what it is about to do", "something else"


def _apart(mine: Sequence[str], its: Sequence[str]) -> tuple[str, str]:
    """The first line in which they differ."""
    longest = max(len(mine), len(its))
    pairs = zip(*((*some, *["nothing more"] * (longest - len(some))) for some in (mine, its)))
    return next((one, other) for one, other in pairs if one != other)
