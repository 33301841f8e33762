"""Full precision: matrix products that autocast does not round."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> AbstractContextManager[object]:
    """A block in which autocast is off on the device of this tensor.

    Autocast takes sums and logarithms to float32, and matrix products to half precision, whatever their types. A loss
    is computed in float32 at least, so where it multiplies matrices it says so.
    """
    kind = tensor.device.type
    if not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)
