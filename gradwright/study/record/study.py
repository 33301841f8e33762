"""What is kept of a run and of a study: data and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradwright.study.tasks.task import Metric

FINISHED, NO_PROGRESS, DIVERGED, FAILED = "finished", "no progress", "diverged", "failed"


@dataclass(frozen=True)
class Point:
    """One evaluation: after ``step`` steps, ``seconds`` by the clock and ``cpu_seconds`` of training.

    ``train_loss`` is the mean batch loss since the point before (at step 0: of the first batch).
    """

    step: int
    seconds: float
    cpu_seconds: float
    train_loss: float
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class RunRecord:
    """One training run.

    ``lr`` is the main learning rate, ``group_lrs`` that of every group, ``asked_lr`` the one asked for (None:
    the default). Seconds are medians over steps; the share is the optimizer's part of a step's processor time.
    ``loss`` is empty where the task's own trained it, ``contender`` the label by which the run is compared.
    ``precision`` is the type of the model, empty where it was as the task makes it.
    ``findings`` are those of a watch, as ``Finding.as_dict`` gives them, if there was one.
    ``pictures`` are the numbers of those that its task has of a trained model.
    ``calibration`` has a row for each bin of confidence: samples, the sum of what was claimed, of what came true.
    """

    task: str
    optimizer: str
    seed: int
    asked_lr: float | None
    lr: float
    group_lrs: Mapping[str, float]
    lr_source: str
    status: str
    reason: str = ""
    points: tuple[Point, ...] = ()
    steps: int = 0
    seconds_per_step: float = math.nan
    cpu_seconds_per_step: float = math.nan
    optimizer_share: float = math.nan
    state_bytes_per_parameter: float = math.nan
    parameters: int = 0
    total_seconds: float = math.nan
    loss: str = ""
    contender: str = ""
    calibration: tuple[tuple[float, ...], ...] = ()
    precision: str = ""
    findings: tuple[Mapping[str, Any], ...] = ()
    pictures: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.contender:
            object.__setattr__(self, "contender", self.optimizer)

    def curve(self, metric: str) -> list[float]:
        """The values of a metric (or ``train_loss``) at every evaluation."""
        return [p.train_loss if metric == "train_loss" else p.metrics[metric] for p in self.points]

    def final(self, metric: str) -> float:
        """The last value of a metric; nan where the run never came to an evaluation."""
        return self.points[-1].metrics[metric] if self.points else math.nan

    def best_step(self, metric: Metric) -> int:
        """The step of the best evaluation."""
        sign = 1 if metric.lower_is_better else -1
        finite = [p for p in self.points if math.isfinite(p.metrics[metric.name])]
        return min(finite, key=lambda p: sign * p.metrics[metric.name]).step if finite else 0


@dataclass(frozen=True)
class TaskNote:
    """What a reader of the results must know of a task."""

    name: str
    description: str
    metrics: tuple[Metric, ...]
    budget: str
    timed: bool
    data: Mapping[str, str]

    @property
    def metric(self) -> Metric:
        return self.metrics[0]


@dataclass(frozen=True)
class Study:
    """The runs of a comparison, with everything needed to judge and to repeat it.

    ``illustrations`` are the numbers of pictures that a task has beside its runs, by its name.
    """

    tasks: tuple[TaskNote, ...]
    runs: tuple[RunRecord, ...]
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    interrupted: bool = False
    planned: int = 0
    illustrations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: tuple[str, ...] = field(default=(), compare=False)

    @property
    def contenders(self) -> list[str]:
        """The labels of what is compared, in the order asked for."""
        return list(self.settings.get("contenders", self.settings["optimizers"]))

    @property
    def noun(self) -> str:
        """What is compared: "optimizer", "loss" or "pair" (of an optimizer and a loss)."""
        if len(self.settings.get("losses", ())) < 2:
            return "optimizer"
        return "loss" if len(self.settings["optimizers"]) == 1 else "pair"
