"""Acting: one part's update by itself, on small tensors, without an optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from gradwright.core import Context, HostScalar, ParamSpec, Transform
from gradwright.core.transform import walk


@dataclass
class Acted:
    """What an update answered, and all that it was given."""

    u: torch.Tensor
    state: dict[str, Any]
    ctx: Context
    before: dict[str, Any]


def doubles(value: Any) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def act(
    part: Transform,
    u: Any,
    *,
    param: Any = 0.0,
    grad: Any = None,
    state: dict[str, Any] | None = None,
    step: float = 1.0,
    clock: float | None = None,
    loss: float | None = None,
    role: str = "",
) -> Acted:
    """Run ``part`` once. What is not given is fresh: no gradient but ``u``, state at its start, weights of zero.

    Totals are those of an optimizer that has this tensor alone.
    """
    u = doubles(u)
    param = doubles(param).expand(u.shape).clone()
    spec = ParamSpec(tuple(u.shape), u.dtype, frozenset(role.split()))
    given = {key: value if isinstance(value, float) else doubles(value) for key, value in (state or {}).items()}
    full: dict[str, Any] = {}
    for key, slot in part.slots(spec).items():
        if isinstance(slot, HostScalar):
            full[key] = slot.start
        else:
            full[key] = param if slot.start == "param" else torch.full(slot.shape_for(spec), slot.start).double()
    assert given.keys() <= full.keys(), f"{part} declares {sorted(full)}"
    before = {**full, **given}
    ctx = Context(
        param,
        u if grad is None else doubles(grad),
        step,
        step if clock is None else clock,
        None if loss is None else doubles(loss),
        spec,
    )
    steps, answer = walk(part, u, dict(before), ctx), None
    while True:
        try:
            total = steps.send(answer)
        except StopIteration as end:
            u, changed, after = end.value
            return Acted(u, {**before, **changed}, after, before)
        answer = total.parts[0] if len(total.parts) == 1 else total.parts
