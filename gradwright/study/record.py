"""What is kept of a run and of a study, and how it is written."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gradwright.study.files import writable
from gradwright.study.task import Metric

FINISHED, DIVERGED, FAILED = "finished", "diverged", "failed"


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
    ``loss`` is empty where the task's own trained it, ``entrant`` the label by which the run is compared.
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
    entrant: str = ""
    calibration: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.entrant:
            object.__setattr__(self, "entrant", self.optimizer)

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
    """The runs of a comparison, with everything needed to judge and to repeat it."""

    tasks: tuple[TaskNote, ...]
    runs: tuple[RunRecord, ...]
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    interrupted: bool = False
    planned: int = 0
    files: tuple[str, ...] = field(default=(), compare=False)

    def to_json(self) -> str:
        """Strict JSON; numbers that are not finite are written as the strings "nan", "inf", "-inf"."""
        content = asdict(self)
        del content["files"]
        return json.dumps(_words({"format": 1, **content}), indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Study:
        """The study that :meth:`to_json` wrote."""
        content = _numbers(json.loads(text))
        if content.pop("format", None) != 1:
            raise ValueError("these results were written in another format: this version reads format 1")
        content["tasks"] = tuple(
            TaskNote(**{**task, "metrics": tuple(Metric(**metric) for metric in task["metrics"])})
            for task in content["tasks"]
        )
        content["runs"] = tuple(
            RunRecord(
                **{
                    **run,
                    "points": tuple(Point(**point) for point in run["points"]),
                    "calibration": tuple(map(tuple, run.get("calibration", ()))),
                }
            )
            for run in content["runs"]
        )
        return cls(**content)

    @property
    def entrants(self) -> list[str]:
        """The labels of what is compared, in the order asked for."""
        return list(self.settings.get("entrants", self.settings["optimizers"]))

    @property
    def noun(self) -> str:
        """What is compared: "optimizer", "loss" or "pair" (of an optimizer and a loss)."""
        if len(self.settings.get("losses", ())) < 2:
            return "optimizer"
        return "loss" if len(self.settings["optimizers"]) == 1 else "pair"

    def show(self) -> None:
        """Print a table and the verdict for each task."""
        from rich.console import Console

        from gradwright.study.terminal import show

        console = Console()
        show(self, console if console.is_terminal else Console(width=140))

    def save(self, folder: str | os.PathLike[str]) -> Study:
        """Write ``index.html``, ``results.json``, ``runs.csv`` and ``curves.csv``; returns the study with its files."""
        from gradwright.study.report import save

        return replace(self, files=tuple(str(path) for path in save(self, writable(folder))))

    def runs_csv(self) -> str:
        """One row a run."""
        names = list(dict.fromkeys(metric.name for task in self.tasks for metric in task.metrics))
        plain = [
            "task",
            "optimizer",
            "loss",
            "seed",
            "lr",
            "lr_source",
            "status",
            "reason",
            "steps",
            "seconds_per_step",
        ]
        plain += ["cpu_seconds_per_step", "optimizer_share", "state_bytes_per_parameter", "parameters"]
        plain += ["total_seconds"]
        rows = [
            [getattr(run, key) for key in plain]
            + [run.points[-1].metrics.get(name, "") if run.points else "" for name in names]
            for run in self.runs
        ]
        return _csv(plain + [f"final_{name}" for name in names], rows)

    def curves_csv(self) -> str:
        """One row for each evaluation and metric."""
        rows = [
            [
                run.task,
                run.optimizer,
                run.loss,
                run.seed,
                run.lr,
                point.step,
                point.seconds,
                point.cpu_seconds,
                name,
                value,
            ]
            for run in self.runs
            for point in run.points
            for name, value in [("train_loss", point.train_loss), *point.metrics.items()]
        ]
        head = ["task", "optimizer", "loss", "seed", "lr", "step", "seconds", "cpu_seconds", "metric", "value"]
        return _csv(head, rows)


def _csv(head: list[str], rows: Iterable[list[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([head, *rows])
    return buffer.getvalue()


def _words(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _words(each) for key, each in value.items()}
    return [_words(each) for each in value] if isinstance(value, list | tuple) else value


def _numbers(value: Any) -> Any:
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, dict):
        return {key: _numbers(each) for key, each in value.items()}
    return [_numbers(each) for each in value] if isinstance(value, list) else value
