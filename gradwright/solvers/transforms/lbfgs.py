"""L-BFGS as a transform, with the library's cautious memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradwright.solvers.linear.vectors import norm, significant
from gradwright.solvers.transforms.base import ExtraArgsTransform

Pairs = tuple[tuple[Tensor, Tensor], ...]


def cautious_lbfgs(memory: int = 10) -> ExtraArgsTransform:
    """d = −Hg by the two-loop recursion, with pairs kept only where sᵀy > 10 √ε ‖s‖ ‖y‖, whatever the units.

    Without pairs d = −g · min(1, max(1e-2, 1e-2 ‖x‖) / ‖g‖). It needs no extra argument.

    Args:
        memory: pairs kept.

    State: (pairs, last x, last g). Reference: Liu and Nocedal, Math. Program. 45 (1989).
    """
    if memory < 1:
        raise ValueError(f"memory={memory} must be at least 1")

    def step(g: Tensor, state: tuple[Pairs, Tensor | None, Tensor | None], params: Tensor, extra: dict[str, Any]):
        pairs, last_x, last_g = state
        x, flat = params.detach().reshape(-1).clone(), g.detach().reshape(-1).clone()
        if last_x is not None and last_g is not None:
            s, y = x - last_x, flat - last_g
            if significant(float(s @ y), s, y, torch.finfo(g.dtype).eps ** 0.5):
                pairs = (*pairs, (s, y))[-memory:]
        q, weights = flat, []
        for s, y in reversed(pairs):
            weights.append(float(s @ q) / float(s @ y))
            q = q - weights[-1] * y
        if pairs:
            s, y = pairs[-1]
            q = q * (float(s @ y) / float(y @ y))
        else:
            q = q * min(1.0, max(1e-2, 1e-2 * norm(x)) / max(norm(flat), torch.finfo(g.dtype).tiny))
        for (s, y), weight in zip(pairs, reversed(weights)):
            q = q + (weight - float(y @ q) / float(s @ y)) * s
        return -q.view(params.shape), (pairs, x, flat)

    return ExtraArgsTransform("cautious_lbfgs", lambda params: ((), None, None), step)
