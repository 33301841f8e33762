"""A run under a watch: the same run, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gradwright.observe import Record, Watch
from gradwright.study.tasks.task import Compared, Metric, Session


class WatchedRun:
    """A watch around one run, which stays what it is to the last bit.

    Outputs and targets are known where the loss compares them; the validation value is the first metric of which lower
    is better.

    Args:
        session: the run's.
        optimizer: the run's.
        metrics: of the task.
    """

    def __init__(self, session: Session, optimizer: torch.optim.Optimizer, metrics: Sequence[Metric]) -> None:
        self.watch = Watch(session.model, optimizer)
        self._metric = next((metric.name for metric in metrics if metric.lower_is_better), None)
        self._pair: tuple[Any, Any] = (None, None)
        self.session = self._noting(session)

    def stepped(self, loss: float) -> None:
        """Called after each step."""
        outputs, targets = self._pair
        self.watch.step(loss, outputs=outputs, targets=targets)

    def evaluated(self, metrics: Mapping[str, float]) -> None:
        """Called after each evaluation."""
        if self._metric is not None:
            self.watch.validation(metrics[self._metric])

    def findings(self) -> tuple[dict[str, Any], ...]:
        """What is wrong, as plain values; takes all hooks away."""
        self.watch.close()
        return tuple(found.as_dict() for found in self.watch.findings())

    @property
    def record(self) -> Record:
        """All that was measured."""
        return self.watch.record()

    def _noting(self, session: Session) -> Session:
        """The session, its loss looked at where it compares outputs with targets."""
        loss = session.loss
        if not isinstance(loss, Compared):
            return session

        def noted(step: int) -> tuple[Tensor, Tensor]:
            outputs, targets = loss.batch(step)
            self._pair = outputs.detach(), targets
            return outputs, targets

        return replace(session, loss=Compared(noted, loss.criterion))
