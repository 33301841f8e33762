"""A study as tables: one of its runs, one of their curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from gradwright.study.record.study import Study

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
"""How a text begins that gets an apostrophe in front: what a spreadsheet takes for a formula, and the apostrophe."""
TEXTS = ("task", "optimizer", "loss", "precision", "lr_source", "status", "reason", "metric")
WHOLE = ("seed", "steps", "step", "parameters")


def runs_csv(study: Study) -> str:
    """One row a run."""
    names = list(dict.fromkeys(metric.name for task in study.tasks for metric in task.metrics))
    plain = [
        "task",
        "optimizer",
        "loss",
        "precision",
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
            run.precision,
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
    head = ["task", "optimizer", "loss", "precision", "seed", "lr", "step", "seconds", "cpu_seconds", "metric", "value"]
    return _csv(head, rows)


def from_csv(text: str) -> list[dict[str, Any]]:
    """The rows of ``runs.csv`` or ``curves.csv``: labels as they were given, numbers as numbers, None where empty.

    Read the file with ``open(path, newline="", encoding="utf-8")``, which keeps line breaks in labels.
    """
    rows = csv.reader(io.StringIO(text, newline=""))
    head = next(rows, [])
    return [{name: _read(name, value) for name, value in zip(head, row)} for row in rows]


def _csv(head: list[str], rows: Iterable[list[Any]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        # a carriage return alone would end a line for some readers, so such rows have all their fields in quotes
        bare = any("\r" in str(value) for value in row)
        (csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL) if bare else writer).writerow(
            [_guarded(value) if isinstance(value, str) else value for value in row]
        )
    return buffer.getvalue()


def _guarded(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would run it as a formula; one of its own doubles."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _read(name: str, value: str) -> Any:
    if name in TEXTS:
        return value.removeprefix("'")
    if not value:
        return None
    return int(value) if name in WHOLE else float(value)
