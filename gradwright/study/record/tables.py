"""A study as tables: one of its runs, one of their curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from gradwright.study.record.study import Study


def runs_csv(study: Study) -> str:
    """One row a run."""
    names = list(dict.fromkeys(metric.name for task in study.tasks for metric in task.metrics))
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
        for run in study.runs
    ]
    return _csv(plain + [f"final_{name}" for name in names], rows)


def curves_csv(study: Study) -> str:
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
        for run in study.runs
        for point in run.points
        for name, value in [("train_loss", point.train_loss), *point.metrics.items()]
    ]
    head = ["task", "optimizer", "loss", "seed", "lr", "step", "seconds", "cpu_seconds", "metric", "value"]
    return _csv(head, rows)


def _csv(head: list[str], rows: Iterable[list[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([head, *rows])
    return buffer.getvalue()
