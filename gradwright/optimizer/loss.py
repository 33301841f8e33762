"""Loss: what a user gives a step as its loss becomes one number that nobody writes meanwhile."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def detached(loss: Any) -> Tensor | None:
    """One number of its own, in double; ``None`` where no loss was given.

    Raises:
        TypeError, ValueError: it is not one number.
    """
    if loss is None:
        return None
    if isinstance(loss, (str, dict, set)) or (isinstance(loss, (tuple, list)) and any(map(torch.is_tensor, loss))):
        raise TypeError(f"the loss is a {type(loss).__name__}; give one number, such as loss.mean()")
    if not isinstance(loss, Tensor):
        loss = torch.as_tensor(loss, dtype=torch.float64 if isinstance(loss, float) else None, device="cpu")
    loss = loss.detach()
    if loss.numel() != 1:
        raise ValueError(f"the loss has shape {tuple(loss.shape)}; give one number, such as loss.mean()")
    # in double where the device has it, like the shared values that are computed from it
    return loss.reshape(()).to(torch.float32 if loss.device.type == "mps" else torch.float64, copy=True)
