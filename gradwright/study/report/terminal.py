"""The result of a study on the terminal."""

from __future__ import annotations

import math
from typing import Any

from gradwright.study.record.study import Study, TaskNote
from gradwright.study.record.words import difference, mean_and_deviation, number, value
from gradwright.study.report.summary import Arm
from gradwright.study.report.verdict import headline, verdict
from gradwright.study.tasks.labels import one_line


def show(study: Study, console: Any = None) -> None:
    """Print a table and the verdict for each task that has runs.

    Args:
        study: what is shown.
        console: the ``rich.console.Console`` to print on; that of the terminal, or one of 140 columns where there is
            none, if not given.
    """
    if console is None:
        from rich.console import Console

        console = Console()
        console = console if console.is_terminal else Console(width=140)
    if study.interrupted:
        console.print(f"Stopped by hand after {len(study.runs)} of {study.planned} runs.", highlight=False)
    for task in study.tasks:
        if any(run.task == task.name for run in study.runs):
            console.print()
            console.print(_table(study, task))
            console.print(f"  {one_line(headline(verdict(study, task)))}.", style="bold", highlight=False, markup=False)


def _table(study: Study, task: TaskNote) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    v = verdict(study, task)
    precisions = study.settings.get("precision", ())
    formats = [f", {key} {study.settings[key]}" for key in ("state", "weights") if study.settings.get(key)]
    held = (f", in {precisions[0]}" if len(precisions) == 1 else "") + "".join(formats)
    title = one_line(f"{task.name}: {task.metric.label}, {task.budget}{held}")
    table = Table(title=Text(title), box=box.SIMPLE, title_justify="left", title_style="bold")
    table.add_column(study.noun)
    others = [metric for metric in task.metrics[1:] if study.noun != "optimizer"]
    costs = ("step", "optimizer", "bytes/param", "lr") if study.noun == "optimizer" else ()
    for heading in ("final", "behind", "runs", *(metric.name for metric in others), *costs):
        table.add_column(Text(one_line(heading)), justify="right")
    for arm in v.ranked:
        gap = v.gaps.get(arm.contender)
        table.add_row(
            Text(one_line(arm.contender)),
            mean_and_deviation(task.metric, *arm.summary()[1:]) if arm.eligible else arm.trouble,
            "" if gap is None else _behind(task, gap.difference) + (" ≈" if arm.contender in v.tied else ""),
            f"{len(arm.finished)}/{len(arm.runs)}",
            *(value(metric, arm.summary(metric.name).mean) for metric in others),
            *(_costs(arm) if costs else ()),
            style="bold" if arm is v.winner else None,
        )
    return table


def _behind(task: TaskNote, gap: float) -> str:
    return f"+{difference(task.metric, gap)[0]}{' points' if task.metric.share else ''}"


def _costs(arm: Arm) -> list[str]:
    seconds, share = arm.median("cpu_seconds_per_step"), arm.median("optimizer_share")
    return [
        "–" if math.isnan(seconds) else f"{1e3 * seconds:.3g} ms",
        "–" if math.isnan(share) else f"{100 * share:.0f} %",
        number(arm.median("state_bytes_per_parameter"), 3),
        f"{arm.lr:.3g}",
    ]
