"""Opaque links: parts that run as plain torch between two sweeps, batched over equal shapes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import torch
from torch import Tensor

from gradwright.core import Context, Part, Transform
from gradwright.engine.memory import has_layout_of, with_layout_of
from gradwright.engine.step import GroupStep

WORTH_STACKING = 2**16
"""Up to this size, tensors of one shape are handed to torch as one batch; larger ones keep it busy by themselves."""


def run_link(link: Part, updates: list[Tensor], step: GroupStep, params: Sequence[Tensor], age: float) -> list[Tensor]:
    """What ``link`` makes of updates, laid out as these are.

    Args:
        link: the part.
        updates: one for each parameter; each is let go when it has served, so the list is empty afterwards.
        step: this step of their group.
        params: the parameters.
        age: the step count of these parameters.
    """
    made: list[Tensor | None] = [None] * len(updates)
    alike: dict[Any, list[int]] = {}
    for at, update in enumerate(updates):
        alike.setdefault((update.shape, update.stride()), []).append(at)
    for members in alike.values():
        run = _Alone(link, step, params[members[0]], age)
        # kernels made the updates for this alone, so what the link makes of one may take its place
        # a stack of one too: torch may round otherwise for a matrix than for a stack, and how many step together varies
        stacked = updates[members[0]].numel() <= WORTH_STACKING
        answers = run.stacked([updates[at] for at in members]) if stacked else None
        for at in members:
            made[at] = answers[members.index(at)] if answers else run(updates[at])
            updates[at] = cast(Any, None)
    updates.clear()
    return cast(list[Tensor], made)


class _Alone:
    """A link with nothing but an update: a dry run has shown that it asks for neither weights nor gradient."""

    def __init__(self, link: Part, step: GroupStep, param: Tensor, age: float) -> None:
        assert isinstance(link, Transform)
        absent = cast(Any, None)
        self.link = link
        self.context = Context(absent, absent, age, step.clock, None, step.spec_of(param))

    def __call__(self, update: Tensor) -> Tensor:
        return _laid_out(self.link.update(update, {}, self.context._replace(spare=True))[0], update)

    def _answer(self, update: Tensor) -> Tensor:
        return self.link.update(update, {}, self.context)[0]

    def stacked(self, updates: list[Tensor]) -> list[Tensor] | None:
        """All at once; ``None`` where torch cannot batch what the link does."""
        with suppress(RuntimeError):
            answers = torch.vmap(self._answer, randomness="different")(torch.stack(updates)).unbind()
            return [_laid_out(answer, update) for answer, update in zip(answers, updates)]
        return None


def _laid_out(answer: Tensor, update: Tensor) -> Tensor:
    """As the parameter lies in memory, which is how the next sweep reads it."""
    return answer if has_layout_of(answer, update) else with_layout_of(answer, update)
