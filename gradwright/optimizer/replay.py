"""Replay: a second evaluation that draws the same random numbers as the first and leaves running statistics alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.module import register_module_forward_pre_hook


class RandomState:
    """Where torch's generators stand, of the CPU and of the GPUs on which these tensors lie."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._cpu = torch.get_rng_state()
        devices = {tensor.device for tensor in tensors if tensor.device.type == "cuda"}
        self._gpus = {device: torch.cuda.get_rng_state(device) for device in devices}

    def restore(self) -> None:
        """Let them stand there again."""
        torch.set_rng_state(self._cpu)
        for device, state in self._gpus.items():
            torch.cuda.set_rng_state(state, device)


@contextmanager
def frozen_statistics(model: nn.Module | None) -> Iterator[None]:
    """Within this block, layers of norm that are evaluated leave their running statistics as they are, bit for bit.

    Args:
        model: whose layers; all that are called meanwhile if not given, of which compiled ones do not tell.
    """
    held: list[tuple[Tensor, Tensor]] = []
    seen: set[nn.Module] = set()

    def take(module: nn.Module, inputs: Any = None) -> None:
        if isinstance(module, _NormBase) and module.training and module not in seen:
            seen.add(module)
            held.extend((buffer, buffer.clone()) for buffer in module.buffers(recurse=False))

    handle = None
    if model is None:
        handle = register_module_forward_pre_hook(take)
    else:
        for module in model.modules():
            take(module)
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()
        with torch.no_grad():
            for buffer, before in held:
                buffer.copy_(before)
