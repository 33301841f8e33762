"""What each of several ranks does: accumulate its share of a window, and compare with the large batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from gradwright.training import Window, count_targets
from tests.accumulate.ragged import furthest, large_batch, loss_sum, micro_batches, model

RANKS = 2
EACH = 3
"""Micro-batches of a rank."""

CASES = {
    "averaged": ("averaged", False, ()),
    "averaged, planned": ("averaged", True, ()),
    "averaged, the last one broken": ("averaged", True, ((1, 2),)),
    "local": ("local", False, ()),
    "local, planned": ("local", True, ()),
    "local, two broken": ("local", False, ((0, 1), (1, 2))),
    "summed": ("summed", False, ()),
    "summed, planned, one broken": ("summed", True, ((0, 0),)),
}
"""How gradients meet, whether their number is planned, and which micro-batches (rank, index) are not finite."""


def left_out(gradients: str, broken: tuple[tuple[int, int], ...]) -> set[tuple[int, int]]:
    """Where backward meets the others, a micro-batch is left out by all ranks or by none."""
    if gradients == "local":
        return set(broken)
    return {(rank, index) for _, index in broken for rank in range(RANKS)}


def run_case(rank: int, name: str, all_reduce: Callable[[Tensor], None] | None = None) -> dict[str, float]:
    """How far this rank is off. Gradients meet by DistributedDataParallel, or by ``all_reduce`` where it is given."""
    gradients, planned, broken = CASES[name]
    shares = [micro_batches(EACH, seed=10 + other) for other in range(RANKS)]
    everything = {(r, i): batch for r, share in enumerate(shares) for i, batch in enumerate(share)}
    total = sum(count_targets(labels) for _, labels in everything.values())
    net = model()
    in_backward = gradients == "averaged" and all_reduce is None
    wrapped = DistributedDataParallel(net) if in_backward else net
    window = Window(net.parameters(), total if planned else None, gradients=gradients)
    for index, (inputs, labels) in enumerate(shares[rank]):
        losses = loss_sum(wrapped, inputs, labels)
        if (rank, index) in broken:
            losses = losses * math.nan
        window.backward(losses, count_targets(labels))
    if gradients != "local" and not in_backward:
        for param in net.parameters():
            (all_reduce or dist.all_reduce)(param.grad)
            param.grad /= RANKS if gradients == "averaged" else 1
    closed = window.close()
    kept = [batch for at, batch in everything.items() if at not in left_out(gradients, broken)]
    expected, loss = large_batch(kept)
    return {
        "gradient": furthest([param.grad for param in net.parameters()], expected),
        "loss": abs(closed.loss - loss) / loss,
        "targets": closed.targets - sum(count_targets(labels) for _, labels in kept),
        "skipped": closed.skipped - len(broken),
    }


def main(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(Path(folder) / "store"), RANKS)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=RANKS)
    try:
        torch.save({name: run_case(rank, name) for name in CASES}, Path(folder) / f"{rank}.pt")
    finally:
        dist.destroy_process_group()
