"""GradientNormalizer: gradients divided by a running mean of their norm."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gradwright.losses.batch import checks


class GradientNormalizer:
    """g ← g / max(e, floor), where e is an exponential moving average of ‖g‖ over all parameters.

    It takes the place of gradient clipping for losses whose gradient changes scale as they are annealed, such as
    :func:`exact` with a falling σ. The first norm starts the average.

    Args:
        momentum: of the average, in [0, 1); 0.9, as the EXACT authors' code.
        floor: > 0, the least divisor; 1e-2, as theirs.

    Call it on the parameters between ``backward()`` and ``step()``; under a ``GradScaler``, after ``unscale_``. A
    gradient that is not finite leaves the average as it was and is divided by it; if it is the first, by 1. With
    sharded parameters the norm is that of the local shard.

    >>> p = torch.nn.Parameter(torch.zeros(2)); p.grad = torch.tensor([3.0, 4.0])
    >>> GradientNormalizer()([p]), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """

    def __init__(self, momentum: float = 0.9, floor: float = 1e-2) -> None:
        self.momentum = checks.number("momentum", momentum, 0.0, math.nextafter(1.0, 0.0))
        self.floor = checks.number("floor", floor, 0.0, math.inf, open_low=True)
        self.average: Tensor | None = None

    @torch.no_grad()
    def __call__(self, parameters: Iterable[Tensor]) -> Tensor:
        """Divide the gradients in place; returns their norm before."""
        grads = [p.grad for p in parameters if p.grad is not None]
        if not grads:
            return torch.zeros(())
        norm = torch.nn.utils.get_total_norm(grads).float()
        old = norm if self.average is None else self.average.to(norm.device)
        new = self.momentum * old + (1 - self.momentum) * norm
        average = torch.where(new.isfinite(), new, old)
        if self.average is not None or bool(average.isfinite()):
            self.average = average
        torch._foreach_div_(grads, torch.where(average.isfinite(), average, 1.0).clamp(min=self.floor))
        return norm

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average = state_dict["average"]
