"""The way from a schedule to a torch scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from gradwright.optimizer import foreign
from gradwright.schedules.base import Schedule


def lr_scheduler(
    optimizer: torch.optim.Optimizer, schedule: Schedule | Sequence[Schedule], last_epoch: int = -1
) -> LambdaLR:
    """A torch scheduler that multiplies each group's first ``lr`` by the schedule; call its ``step()`` after each step.

    Its ``state_dict`` holds the count of steps and no code: resume with the same schedule. A group with ``lr_scale``,
    as timm's layer-wise decay makes them, gets ``lr_scale`` times as much, as from timm's schedulers.

    Args:
        optimizer: any torch optimizer.
        schedule: one for all groups, those too that are added later, which follow it from the next ``step()`` on; or
            one for each.
        last_epoch: as in torch: -1 to begin, or the number of the last step where groups hold ``initial_lr``.

    Raises:
        TypeError: something else than a schedule was given.
        ValueError: the schedules are not as many as the groups, here or, after ``add_param_group``, at ``step()``.

    >>> from gradwright.schedules import Linear
    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler(optimizer, Linear(4))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.375
    """
    given = schedule if isinstance(schedule, Schedule) else list(schedule)
    for one in [given] if isinstance(given, Schedule) else given:
        if not isinstance(one, Schedule):
            raise TypeError(
                f"lr_scheduler: {one!r} is a {type(one).__name__}; give schedules such as "
                "gradwright.schedules.Cosine(1000), or use torch's LambdaLR for a function"
            )
    foreign.applies_scale(optimizer)
    return _ScheduleLR(optimizer, given, last_epoch)


class _ScheduleLR(LambdaLR):
    """torch's LambdaLR for schedules, which takes in groups that are added later."""

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Schedule | list[Schedule], last_epoch: int) -> None:
        self._schedule = schedule
        self.optimizer = optimizer
        super().__init__(optimizer, [one.__call__ for one in self._schedules()], last_epoch)

    def _schedules(self) -> list[Schedule]:
        """One for each group there is now."""
        count = len(self.optimizer.param_groups)
        if isinstance(self._schedule, Schedule):
            return [self._schedule] * count
        if len(self._schedule) != count:
            raise ValueError(
                f"lr_scheduler: {len(self._schedule)} schedules for {count} param groups; give one for each, that is "
                f"{count}, or a single one for all"
            )
        return self._schedule

    def get_lr(self) -> list[Any]:
        """The learning rates of the step to come."""
        groups, schedules = self.optimizer.param_groups, self._schedules()
        if len(self.base_lrs) > len(groups):
            raise ValueError(
                f"lr_scheduler: its checkpoint has learning rates of {len(self.base_lrs)} param groups, the optimizer "
                f"has {len(groups)}; add the groups that were there when it was saved"
            )
        for group in groups[len(self.base_lrs) :]:
            lr = group["lr"]
            self.base_lrs.append(group.setdefault("initial_lr", lr.clone() if isinstance(lr, torch.Tensor) else lr))
        self.lr_lambdas = [one.__call__ for one in schedules]
        return [
            lr * one(self.last_epoch) * float(group.get("lr_scale", 1.0))
            for lr, one, group in zip(self.base_lrs, schedules, groups)
        ]

    def state_dict(self) -> dict[str, Any]:
        """The count of steps and the learning rates, and no code."""
        kept = {key: value for key, value in self.__dict__.items() if key not in ("optimizer", "_schedule")}
        return {**kept, "base_lrs": list(self.base_lrs), "lr_lambdas": [None] * len(self.lr_lambdas)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from where :meth:`state_dict` was taken, with the schedule of this one."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        self.base_lrs = list(self.base_lrs)
