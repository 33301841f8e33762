"""Opaque links: parts that run as plain torch between two kernels, batched over equal shapes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import torch
from torch import Tensor

from gradwright.core import Context, Part, Transform
from gradwright.engine.job import Share
from gradwright.engine.layout import laid_as, lies_as

IN_FLIGHT = 2**22
"""Numbers that wait between two kernels at a time (16 MiB of float32), unless one tensor alone is larger."""
WORTH_STACKING = 2**16
"""Up to this size, tensors of one shape are handed to torch as one batch; larger ones keep it busy by themselves."""


def batches(params: Sequence[Tensor], members: Sequence[int]) -> list[list[int]]:
    """Parameters in groups of one shape, none of which keeps more than ``IN_FLIGHT`` numbers waiting."""
    found: list[list[int]] = []
    open_batch: dict[tuple[Any, ...], list[int]] = {}
    for at in members:
        key = tuple(params[at].shape), params[at].stride()
        batch = open_batch.get(key)
        if batch is None or (len(batch) + 1) * params[at].numel() > IN_FLIGHT:
            batch = open_batch[key] = []
            found.append(batch)
        batch.append(at)
    return found


def run_link(link: Part, updates: Sequence[Tensor], share: Share, param: Tensor, step: float) -> list[Tensor]:
    """What ``link`` makes of updates of one shape."""
    assert isinstance(link, Transform)
    spec = share.spec_of(param)

    absent = cast(Any, None)  # a rehearsal has shown that it asks for neither weights nor gradient
    ctx = Context(absent, absent, step, share.clock, None, spec)

    def run(u: Tensor) -> Tensor:
        answer = link.update(u, {}, ctx)
        return answer[0]

    made: Sequence[Tensor] = ()
    if len(updates) > 1 and updates[0].numel() <= WORTH_STACKING:
        # what torch cannot batch is left to the line below
        with suppress(RuntimeError):
            made = torch.vmap(run, randomness="different")(torch.stack(list(updates))).unbind()
    made = made or [run(u) for u in updates]
    # the kernel reads it as the parameter lies in memory
    return [one if lies_as(one, u) else laid_as(one, u) for one, u in zip(made, updates)]
