"""One training run, from the first weights to its record."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradwright.study.record.study import DIVERGED, FAILED, Point, RunRecord
from gradwright.study.runs.budget import SCHEDULES, Budget
from gradwright.study.runs.contenders import Contender
from gradwright.study.runs.criteria import Criterion
from gradwright.study.runs.divergence import Ending, ending
from gradwright.study.runs.statistics import fitting_statistics
from gradwright.study.runs.step import Step, Times, evaluating, state_bytes, switches
from gradwright.study.runs.watched import WatchedRun
from gradwright.study.tasks.labels import one_line
from gradwright.study.tasks.seeding import RandomStream
from gradwright.study.tasks.task import Compared, Session, Task
from gradwright.training.batch_norm import batch_norms

EVALUATIONS = 20
SETTLING = 3  # first steps left out of the times: they compile kernels and fill caches


class Tick(NamedTuple):
    """What a watcher sees after every step."""

    step: int
    fraction: float
    loss: float
    elapsed: float


class Training:
    """One run in progress: iterate over it to train, then ask for its record.

    Args:
        lr: the learning rate of the optimizer's first group; other groups (the AdamW half of Muon) keep their
            proportion to it. None: the default.
        lr_source: who chose ``lr``; empty: the contender's own word for its default.
        schedule: a key of :data:`gradwright.study.budget.SCHEDULES`.
        watch: whether to watch the run and say what is wrong with it; its times then have the probes in them.

    An error inside the run ends it as failed with the sentence of the error. A loss that is not finite, or an end
    worse than the beginning, marks it as diverged; an end no better, as without progress. What the loop over the ticks
    raises is the caller's own.
    """

    def __init__(
        self,
        task: Task,
        contender: Contender,
        seed: int,
        budget: Budget,
        *,
        lr: float | None = None,
        lr_source: str = "",
        schedule: str = "constant",
        evaluations: int = EVALUATIONS,
        watch: bool = False,
    ) -> None:
        self.watched: WatchedRun | None = None
        self.watch = watch
        self.task, self.contender, self.seed, self.budget = task, contender, seed, budget
        self.lr, self.lr_source = lr, lr_source or contender.lr_source
        self.schedule, self.evaluations = SCHEDULES[schedule], evaluations
        self.optimizer: torch.optim.Optimizer | None = None
        self.main, self.base = 0, list[float]()
        self.status, self.reason = FAILED, "not finished"
        self.parameters = 0
        self.points: list[Point] = []
        self.losses: list[float] = []
        self.times: list[Times] = []
        self.calibration: tuple[tuple[float, ...], ...] = ()
        self.pictures: dict[str, Any] = {}
        self.begun = time.perf_counter()

    def __iter__(self) -> Iterator[Tick]:
        with RandomStream(self.task.seeded, self.seed, "run"):
            try:
                self.status, self.reason = yield from self._train()
            except Exception as error:
                self.reason = f"{type(error).__name__}: {one_line(str(error))}"

    def _train(self) -> Generator[Tick, None, Ending]:
        session, criterion = self._begin()
        self.optimizer = self.contender.begin(session.model)
        self.parameters = sum(parameter.numel() for parameter in session.model.parameters())
        self.main = main_group(self.optimizer, self.contender.recipe)
        self.base = _learning_rates(self.optimizer, self.main, self.lr)
        if self.watch:
            self.watched = WatchedRun(session, self.optimizer, self.task.metrics)
            session = self.watched.session
        advance = Step(session, self.optimizer, (self.task.seeded, self.seed), criterion)
        session.model.train()
        if switches(self.optimizer):
            self.optimizer.train()  # type: ignore[attr-defined]
        self._evaluate(session)
        elapsed = fraction = 0.0
        marks = 0
        while fraction < 1:
            step = len(self.losses)
            for group, base in zip(self.optimizer.param_groups, self.base):
                _set_lr(group, base * self.schedule(self.budget.middle(step, elapsed)))
            if criterion is not None:
                criterion.share = fraction
            loss, times = advance(step)
            self.losses.append(loss)
            self.times.append(times)
            if self.watched is not None:
                self.watched.stepped(loss)
            elapsed += times.wall
            fraction = self.budget.fraction(step + 1, elapsed)
            if not math.isfinite(loss):
                return Ending(DIVERGED, f"the training loss became {loss} at step {step + 1}")
            if (passed := self.budget.mark(step + 1, elapsed, self.evaluations)) > marks or fraction >= 1:
                marks = passed
                self._evaluate(session)
                if not math.isfinite(value := self.points[-1].metrics[self.task.metric.name]):
                    return Ending(DIVERGED, f"the {self.task.metric.label} became {value} by step {step + 1}")
            yield Tick(step + 1, fraction, loss, elapsed)
        self._calibrate(session)
        if session.pictures is not None:
            with self._judged(session):
                self.pictures = dict(session.pictures())
        values = [point.metrics[self.task.metric.name] for point in self.points]
        last_quarter = self.losses[-max(1, len(self.losses) // 4) :]
        losses = (statistics.median(self.losses[:SETTLING]), statistics.fmean(last_quarter))
        return ending(values[0], values[-1], self.task.metric.lower_is_better, losses)

    def _begin(self) -> tuple[Session, Criterion | None]:
        """The session, with the contender's loss in the place of the task's own if it has one."""
        session, loss = self.task.begin(self.seed), self.contender.loss
        if loss is None:
            return session, None
        criterion, batch = loss.begin(session), session.batch
        assert batch is not None, "the loss has looked"
        return replace(session, loss=Compared(batch, criterion)), criterion

    def _calibrate(self, session: Session) -> None:
        """What the trained model claims and how often it came true, bin by bin."""
        if session.calibration is None:
            return
        with self._judged(session):
            found = session.calibration().reliability()
        columns = (found.weight, found.weight * found.confidence, found.weight * found.accuracy)
        self.calibration = tuple(zip(*(column.nan_to_num(0.0).tolist() for column in columns)))

    @contextlib.contextmanager
    def _judged(self, session: Session) -> Iterator[None]:
        """The model at the weights the optimizer wants to be judged by."""
        layers = [layer for layer in batch_norms(session.model) if layer.training]
        session.model.eval()
        fitting = fitting_statistics(session, self.optimizer, layers, len(self.losses), self.task.name, self.seed)
        with torch.no_grad(), evaluating(self.optimizer), fitting:
            yield
        session.model.train()

    def _evaluate(self, session: Session) -> None:
        """Add a point."""
        with self._judged(session):
            metrics = {name: float(value) for name, value in session.evaluate().items()}
        if missing := [metric.name for metric in self.task.metrics if metric.name not in metrics]:
            raise ValueError(f"evaluate() gave {sorted(metrics)}, but the task's metrics name {missing[0]!r} too")
        since = self.points[-1].step if self.points else 0
        recent = self.losses[since:]
        train_loss = sum(recent) / len(recent) if recent else math.nan
        wall = sum(times.wall for times in self.times)
        cpu = sum(times.cpu for times in self.times)
        self.points.append(Point(len(self.losses), wall, cpu, train_loss, metrics))
        if self.watched is not None:
            self.watched.evaluated(metrics)

    def record(self) -> RunRecord:
        """What is kept of the run."""
        points = list(self.points)
        if points and self.losses:
            points[0] = replace(points[0], train_loss=self.losses[0])
        settled = self.times[SETTLING:] or self.times
        cpu = sum(times.cpu for times in settled)
        return RunRecord(
            task=self.task.name,
            optimizer=self.contender.optimizer or self.contender.name,
            loss=self.contender.loss.name if self.contender.loss else "",
            contender=self.contender.name,
            precision=self.contender.precision,
            seed=self.seed,
            asked_lr=self.lr,
            lr=self.base[self.main] if self.base else (math.nan if self.lr is None else self.lr),
            group_lrs=_by_group(self.optimizer, self.base) if self.base and self.optimizer is not None else {},
            lr_source=self.lr_source,
            status=self.status,
            reason=self.reason,
            points=tuple(points),
            calibration=self.calibration,
            steps=len(self.losses),
            seconds_per_step=statistics.median([times.wall for times in settled]) if settled else math.nan,
            cpu_seconds_per_step=statistics.median([times.cpu for times in settled]) if settled else math.nan,
            optimizer_share=sum(times.optimizer for times in settled) / cpu if cpu else math.nan,
            state_bytes_per_parameter=state_bytes(self.optimizer) / max(1, self.parameters),
            parameters=self.parameters,
            total_seconds=time.perf_counter() - self.begun,
            pictures=self.pictures,
            findings=self.watched.findings() if self.watched is not None else (),
        )


def main_group(optimizer: torch.optim.Optimizer, recipe: str) -> int:
    """The group whose learning rate is the optimizer's: the first of the recipe it was asked for, or of all.

    An optimizer that serves only some of the parameters (Muon) leaves the others to groups of another recipe.
    """
    names = [group.get("recipe") for group in optimizer.param_groups]
    return names.index(recipe) if recipe in names else 0


def _learning_rates(optimizer: torch.optim.Optimizer, main: int, lr: float | None) -> list[float]:
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    default = rates[main]
    if lr is None:
        return rates
    return [lr * (rate / default) if default else lr for rate in rates]


def _set_lr(group: dict[str, Any], lr: float) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)
    else:
        group["lr"] = lr


def _by_group(optimizer: torch.optim.Optimizer, rates: list[float]) -> dict[str, float]:
    """The learning rates by what a reader knows a group by; groups of one name and rate are one."""
    found: dict[str, float] = {}
    for place, (group, rate) in enumerate(zip(optimizer.param_groups, rates)):
        name = str(group.get("recipe") or group.get("name") or f"group {place}")
        found[name if found.get(name, rate) == rate else f"{name} (group {place})"] = rate
    return found
