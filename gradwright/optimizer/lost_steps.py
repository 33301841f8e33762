"""Lost steps: a warning where steps are smaller than the last place of half-precision weights, and move nothing.

A bfloat16 weight of 1.0 has no neighbour nearer than 1/256, so that a step of 1e-3 is rounded away, at every step, and
nothing else shows it. Some entries are compared with what they were a few steps before; the answer is read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from gradwright.core.warn import warn_user
from gradwright.engine.capture import capturing
from gradwright.engine.memory import is_dense
from gradwright.engine.step import GroupStep
from gradwright.optimizer.pointers import has_memory
from gradwright.transforms import EveryKth

if TYPE_CHECKING:
    from gradwright.optimizer.skipping import Skipping

FIRST, LAST = 8, 16
"""The steps between which weights are watched."""
ENTRIES = 1024
"""So many entries of a parameter are watched, spread over all of it."""
MANY = 0.5
"""The share of entries that must not have moved for a parameter to be named."""
SHOWN = 3
GRAIN = {torch.bfloat16: 512, torch.float16: 4096}
"""A step below this part of a weight is lost: half of its last place, where that is smallest beside the weight."""


class Found(NamedTuple):
    """A parameter, and the shares of its entries that had a gradient, and of these that stood still."""

    param: Tensor
    had: Tensor
    stood: Tensor


class Seen:
    """What an optimizer has seen of its weights.

    Attributes:
        before: some entries of parameters, as they were at the first look.
        found: what the last look found.
    """

    def __init__(self) -> None:
        self.before: dict[Tensor, Tensor] = {}
        self.found: list[Found] = []


@torch.no_grad()
def look(optimizer: Skipping, steps: Iterable[GroupStep]) -> None:
    """Look at the half-precision weights of groups that have just stepped, with their gradients still there.

    Args:
        optimizer: whose groups.
        steps: what they have done.
    """
    for step in steps:
        if step.clock not in (FIRST, LAST) or capturing():
            continue
        seen: Seen = optimizer.__dict__.setdefault("_seen", Seen())
        for at in _watched(optimizer, step):
            param, grad = step.params[at], step.memory.gradient(at)
            if step.clock == FIRST:
                seen.before[param] = _some(param).clone()
            elif param in seen.before and grad.stride() == param.stride():
                # an embedding's row without a gradient stands still for good reasons
                had = _some(grad) != 0
                stood = had & (_some(param) == seen.before.pop(param))
                seen.found.append(Found(param, had.float().mean(), stood.float().mean()))


def tell(optimizer: Skipping) -> None:
    """After the last look: warn, if what was found calls for it, and forget it. Devices are waited for once."""
    if optimizer.param_groups[0]["clock"] != LAST or "_seen" not in optimizer.__dict__:
        return
    found = optimizer.__dict__.pop("_seen").found
    shares = [torch.stack([one.had, one.stood]).cpu().tolist() for one in found]
    lost = [(one.param, stood / had) for one, (had, stood) in zip(found, shares) if had and stood / had > MANY]
    if lost:
        warn_user(_message(optimizer, sorted(lost, key=lambda pair: -pair[1]), len(found)))


def _watched(optimizer: Skipping, step: GroupStep) -> Iterator[int]:
    """The parameters of a group whose steps may be lost, and should not be."""
    if step.params[0].dtype not in GRAIN and all(param.dtype not in GRAIN for param in step.params):
        return
    group = _group_of(optimizer, step.params[0])
    waits = any(isinstance(part, EveryKth) and part.every > 1 for part in step.chain.inside)
    if waits or group.get("weights", "plain") != "plain" or not group.get("lr", 1.0):
        return
    for at in step.members:
        param = step.params[at]
        if param.dtype in GRAIN and param.numel() and has_memory(param) and is_dense(param):
            yield at


def _group_of(optimizer: Skipping, param: Tensor) -> dict[str, Any]:
    return next(group for group in optimizer.param_groups if any(one is param for one in group["params"]))


def _some(tensor: Tensor) -> Tensor:
    """Entries spread over a tensor that fills its memory, in the order in which they lie there."""
    flat = tensor.detach().as_strided((tensor.numel(),), (1,))
    return flat[:: -(-tensor.numel() // ENTRIES)]


def _message(optimizer: Skipping, lost: list[tuple[Tensor, float]], watched: int) -> str:
    names = ", ".join(f"{optimizer.spec_of(param)}: {share:.0%}" for param, share in lost[:SHOWN])
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    dtype, recipe = lost[0][0].dtype, _group_of(optimizer, lost[0][0])["recipe"]
    return (
        f"{recipe}: steps are lost in {str(dtype).removeprefix('torch.')}. In {len(lost)} of {watched} parameters most "
        f"entries that have a gradient did not move once from step {FIRST} to step {LAST} ({names}{more}): steps below "
        f"1/{GRAIN[dtype]} of a weight are rounded away. Give the optimizer weights='split24', which keeps 8 more bits "
        "of each weight, or weights='stochastic', which rounds by chance; or keep the weights in float32"
    )
