"""Dry run: what links do on a small matrix, rather than what they are called."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gradwright.core.chain import Chain
from gradwright.core.context import Context
from gradwright.core.slot import HostScalar
from gradwright.core.spec import ParamSpec
from gradwright.core.transform import Transform, UpdateCoroutine, walk

SPEC = ParamSpec((2, 3), torch.float64, frozenset({"matrix"}))
"""The matrix of a dry run; its weights are and stay zero."""


def dry_run(links: Chain, grads: Iterable[Tensor]) -> list[Tensor]:
    """The updates that links make of these gradients, one step after another; the loss is 1 at each."""
    state: dict[str, Any] = {}
    for key, slot in links.slots(SPEC).items():
        if isinstance(slot, HostScalar):
            state[key] = slot.start
        else:
            start = 0.0 if slot.start == "param" else slot.start
            state[key] = torch.full(slot.shape_for(SPEC), start, dtype=slot.dtype_for(SPEC), device="cpu")
    param = torch.zeros(SPEC.shape, dtype=SPEC.dtype, device="cpu")
    loss = torch.ones((), dtype=SPEC.dtype, device="cpu")
    updates = []
    for step, grad in enumerate(grads, start=1):
        update, state = finished(walk(links, grad, state, Context(param, grad, step, step, loss, SPEC)))
        updates.append(update)
    return updates


def finished(running: UpdateCoroutine, asked: set[str] | None = None) -> tuple[Any, dict[str, Any]]:
    """The update and the state that a walk comes to where there is no other tensor; ``asked`` gets names of totals."""
    answer: Any = None
    while True:
        try:
            total = running.send(answer)
        except StopIteration as end:
            return end.value[:2]
        if asked is not None:
            asked.add(total.name)
        answer = total.parts[0] if len(total.parts) == 1 else total.parts


@lru_cache(maxsize=64)
def remembers(links: Chain) -> bool:
    """Whether the update still moves at a third step whose gradient is zero."""
    # twice, since some methods only fill their state at the first step
    return bool(dry_run(links, (_gradient(), _gradient(), 0 * _gradient()))[-1].nan_to_num().any())


@lru_cache(maxsize=64)
def acts(part: Transform, before: Chain) -> bool:
    """Whether a part behind these links changes what they make of a gradient that turns around.

    A schedule may move knobs, so that what counts is whether the part acts at some of them: as they are, with zeros as
    1/2, or with all between 0 and 1 at 0.9 or more, as a long memory has them. Links that refuse the matrix of the
    dry run get the benefit of the doubt.
    """
    try:
        before.check(SPEC)
    except ValueError:
        return True
    full = _gradient()
    grads = (full, full, -1e-6 * full)
    for knob in (_awake, _long):
        links = before.map_knobs(knob)
        plain, changed = dry_run(links, grads), dry_run(Chain((*links.links, part)), grads)
        if any(not torch.equal(one, other) for one, other in zip(plain, changed)):
            return True
    return False


def _awake(_: str, value: float) -> float:
    return value or 0.5


def _long(_: str, value: float) -> float:
    return max(value, 0.9) if 0 <= value < 1 else value


def _gradient() -> Tensor:
    return torch.arange(1.0, 7.0, dtype=SPEC.dtype, device="cpu").view(SPEC.shape)
