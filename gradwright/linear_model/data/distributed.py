"""Rows sharded over processes: sums and classes over a torch.distributed group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy import ndarray
from torch import distributed


def reducer() -> Callable[[ndarray], ndarray]:
    """A function that sums an array over all ranks, the same on every rank.

    Raises:
        RuntimeError: no process group is there.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        raise RuntimeError(
            "distributed=True needs a process group: start the script with `torchrun --nproc-per-node 4 fit.py`, which "
            'calls torch.distributed.init_process_group("gloo") before fit; fit takes the rows of its rank'
        )
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"

    def add(values: ndarray) -> ndarray:
        total = torch.from_numpy(np.array(values, np.float64)).to(device)
        distributed.all_reduce(total)
        return total.cpu().numpy()

    return add


def union(values: ndarray) -> ndarray:
    """The sorted distinct values over all ranks."""
    gathered: list[ndarray] = [np.empty(0)] * distributed.get_world_size()
    distributed.all_gather_object(gathered, np.unique(values))
    return np.unique(np.concatenate(gathered))
