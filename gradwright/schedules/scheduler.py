"""The way from a schedule to a torch scheduler."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.optim.lr_scheduler import LambdaLR

from gradwright.schedules.base import Schedule


def lr_scheduler(
    optimizer: torch.optim.Optimizer, schedule: Schedule | Sequence[Schedule], last_epoch: int = -1
) -> LambdaLR:
    """A torch scheduler that multiplies each group's first ``lr`` by the schedule; call its ``step()`` after each step.

    Its ``state_dict`` holds the count of steps and no code: resume with the same schedule.

    Args:
        optimizer: any torch optimizer.
        schedule: one for all groups, or one for each.
        last_epoch: as in torch: -1 to begin, or the number of the last step where groups hold ``initial_lr``.

    Raises:
        TypeError: something else than a schedule was given.
        ValueError: the schedules are not as many as the groups.
    """
    given = [schedule] * len(optimizer.param_groups) if isinstance(schedule, Schedule) else list(schedule)
    if strange := [one for one in given if not isinstance(one, Schedule)]:
        raise TypeError(
            f"lr_scheduler: {strange[0]!r} is a {type(strange[0]).__name__}; give schedules such as "
            "gradwright.schedules.Cosine(1000), or use torch's LambdaLR for a function"
        )
    if len(given) != len(optimizer.param_groups):
        raise ValueError(
            f"lr_scheduler: {len(given)} schedules for {len(optimizer.param_groups)} param groups; give one for each, "
            "or a single one for all"
        )
    # a bound method, since LambdaLR would put the fields of an object into its state_dict and overwrite them on loading
    return LambdaLR(optimizer, [one.__call__ for one in given], last_epoch)
