"""A rehearsal of a chain on a small matrix: what it does, rather than what its parts are called."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from gradwright.core import Chain, Context, Number, ParamSpec
from gradwright.core.transform import walk


@lru_cache(maxsize=64)
def remembers(direction: Chain) -> bool:
    """Whether the direction still moves at a third step whose gradient is zero."""
    spec = ParamSpec((2, 3), torch.float64, frozenset({"matrix"}))
    param = torch.zeros(spec.shape, dtype=spec.dtype)
    state: dict[str, Any] = {}
    for key, slot in direction.slots(spec).items():
        if isinstance(slot, Number):
            state[key] = slot.start
        else:
            start = 0.0 if slot.start == "param" else slot.start
            state[key] = torch.full(slot.shape_for(spec), start, dtype=slot.dtype_for(spec))
    u, full = param, torch.arange(1.0, 7.0, dtype=spec.dtype).view(2, 3)
    # twice, since some methods only fill their state at the first step
    for step, grad in enumerate((full, full, param), start=1):
        steps = walk(direction, grad, state, Context(param, grad, step, step, torch.ones(()), spec))
        answer: Any = None
        while True:
            try:
                total = steps.send(answer)
            except StopIteration as end:
                u, state, _ = end.value
                break
            answer = total.parts[0] if len(total.parts) == 1 else total.parts
    return bool(u.nan_to_num().any())
