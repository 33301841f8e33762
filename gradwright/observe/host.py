"""Numbers on devices, brought to the host in one transfer a device: the only synchronisation there is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradwright.observe.sample import wide_type


def to_host(tensors: Sequence[Tensor]) -> list[list[float]]:
    """The entries of each tensor, in its order."""
    found: list[list[float]] = [[] for _ in tensors]
    by_device: dict[torch.device, list[int]] = {}
    for at, tensor in enumerate(tensors):
        by_device.setdefault(tensor.device, []).append(at)
    for device, places in by_device.items():
        wide = wide_type(device)
        values = torch.cat([tensors[at].detach().reshape(-1).to(wide) for at in places]).tolist()
        begin = 0
        for at in places:
            end = begin + tensors[at].numel()
            found[at], begin = values[begin:end], end
    return found
