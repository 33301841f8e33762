"""The page of the report, which needs nothing but itself."""

from __future__ import annotations

import importlib.util
import math
import re
import shlex
from typing import Any

from gradwright.observe.page import figure_styles
from gradwright.study import tasks
from gradwright.study.record.study import Study, TaskNote
from gradwright.study.record.words import difference, listing, mean_and_deviation, number, plural, value
from gradwright.study.report import figures
from gradwright.study.report.findings import told
from gradwright.study.report.pictures import latents, long_tail
from gradwright.study.report.reasons import reasons
from gradwright.study.report.statistics import Gap
from gradwright.study.report.summary import Arm, arms, basin, initial, regrets
from gradwright.study.report.svg import Shades
from gradwright.study.report.untuned import untuned
from gradwright.study.report.verdict import Verdict, beside, explanation, headline, verdict

NEEDED = ("jinja2", "matplotlib", "scipy")


def require() -> None:
    """Make sure before any training that the report can be written after it.

    Raises:
        ValueError: a package of the ``study`` extra is missing.
    """
    missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise ValueError(f'the report needs {listing(missing)}: pip install "gradwright[study]"')


def html(study: Study) -> str:
    """The page."""
    import jinja2

    colours = figures.shades(study)
    seen = [task for task in study.tasks if any(run.task == task.name for run in study.runs)]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gradwright.study.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    return environment.get_template("page.html.j2").render(
        study=study,
        colours=colours,
        figure_styles=figure_styles(),
        title=f"{listing(study.contenders)} on {listing([task.name for task in study.tasks])}",
        count=f"{len(study.contenders)} {plural(study.noun, len(study.contenders))}",
        trained_by=_trained_by(study),
        sections=[_section(study, task, colours) for task in seen],
        overview=_overview(study, seen) if len(seen) > 1 else [],
        untuned=untuned(study, colours),
        command=command(study),
        seconds=sum(run.total_seconds for run in study.runs if math.isfinite(run.total_seconds)),
    )


def command(study: Study) -> str:
    """The line that repeats the study, or the empty string where none can: tasks, optimizers or losses of the user's
    own, seeds with gaps."""
    names = [task.name.partition("[")[0] for task in study.tasks]
    if not set(names) <= set(tasks.names()) or not study.settings.get("named", True):
        return ""
    settings = study.settings
    seeds = list(settings["seeds"])
    if seeds != list(range(seeds[0], seeds[0] + len(seeds))):
        return ""
    words = ["gradwright", "compare", "--task", ",".join(names), "--optimizers", ",".join(settings["optimizers"])]
    words += ["--losses", ",".join(settings["losses"])] if settings.get("losses") else []
    words += ["--nuisance", settings["nuisance"]] if settings.get("nuisance") else []
    words += ["--precision", ",".join(settings["precision"])] if settings.get("precision") else []
    for key in ("state", "weights"):
        words += [f"--{key}", settings[key]] if settings.get(key) else []
    words += ["--seeds", str(len(seeds))] + (["--first-seed", str(seeds[0])] if seeds[0] else [])
    if settings["lr"] is not None:
        words += ["--lr", f"{settings['lr']:g}"]
    if grid := settings["lr_grid"]:
        words += ["--lr-grid", grid if isinstance(grid, str) else ",".join(f"{rate:g}" for rate in grid)]
    if settings["schedule"] != "constant":
        words += ["--schedule", settings["schedule"]]
    if settings["budget"] is not None:
        words += ["--budget", str(settings["budget"])]
    words += ["--threads", str(study.environment["threads"])] + ["--watch"] * bool(settings.get("watch"))
    return shlex.join(words)


def _section(study: Study, task: TaskNote, colours: Shades) -> dict[str, Any]:
    v = verdict(study, task)
    grid = any(len(each) > 1 for each in arms(study, task).values())
    main = task.metric
    pictures = []
    if study.noun == "optimizer":  # several losses have no common scale
        pictures.append(("training loss, mean over the steps between evaluations", "train_loss", False))
    if not task.timed:
        pictures.append((f"{main.label}, by processor time", main.name, True))
    pictures += [(metric.label, metric.name, False) for metric in task.metrics[1:]]
    return {
        "task": task,
        "kind": v.kind,
        "winner": v.winner.contender if v.winner else "",
        "headline": headline(v),
        "explanation": explanation(v),
        "beside": beside(v, study.contenders[0]) if study.noun != "optimizer" else None,
        "reasons": reasons(study, v),
        "finals": figures.finals(study, task, colours),
        "main": figures.curves(study, task, colours, main.name, main.label, wide=True),
        "pictures": [
            (f"{label[0].upper()}{label[1:]}", figures.curves(study, task, colours, quantity, label, by_time))
            for label, quantity, by_time in pictures
        ],
        "reliability": [
            (arm.contender, figures.reliability(task, colours, arm))
            for arm in v.ranked
            if arm.finished and all(run.calibration for run in arm.finished)
        ],
        "long_tail": _long_tail(study, task),
        "latents": latents(study, task),
        "found": [(arm.contender, told(arm.runs)) for arm in v.ranked] if study.settings.get("watch") else [],
        "sensitivity": figures.sensitivity(study, task, colours) if grid else "",
        "rows": [_row(study, v, place, arm, grid) for place, arm in enumerate(v.ranked)],
        "grid": grid,
        "untrained": value(main, initial(study, task)),
        "parameters": max((run.parameters for run in study.runs if run.task == task.name), default=0),
    }


def _long_tail(study: Study, task: TaskNote) -> str:
    """The picture of the gradients' tail, where the task has one."""
    found = study.illustrations.get(task.name, {})
    return long_tail(found) if "runs" in found else ""


def _row(study: Study, v: Verdict, place: int, arm: Arm, grid: bool) -> dict[str, Any]:
    gap = v.gaps.get(arm.contender)
    metric = v.task.metric
    rates = {name: rate for run in arm.runs[:1] for name, rate in run.group_lrs.items()}
    others = [f"the rest: {name} at {rate:.3g}" for name, rate in rates.items() if rate != arm.lr]
    seconds = arm.median("cpu_seconds_per_step")
    return {
        "name": arm.contender,
        "place": place + 1 if arm.eligible else "–",
        "best": arm is v.winner,
        "tied": arm.contender in v.tied,
        "final": mean_and_deviation(metric, *arm.summary()[1:]),
        "runs": f"{len(arm.finished)} of {len(arm.runs)} runs",
        "gap": _gap(v.task, gap) if gap else ("", ""),
        "others": [_split(mean_and_deviation(each, *arm.summary(each.name)[1:])) for each in v.task.metrics[1:]],
        "best_step": number(arm.best_step, 3) if math.isnan(arm.best_step) else f"{arm.best_step:g}",
        "seconds": "–" if math.isnan(seconds) else f"{1e3 * seconds:.3g} ms",
        "steps": f"{arm.median('steps'):.0f} steps" if v.task.timed else "",
        "share": _percent(arm.median("optimizer_share")),
        "bytes": number(arm.median("state_bytes_per_parameter"), 3) if arm.median("state_bytes_per_parameter") else "0",
        "lr": "–" if math.isnan(arm.lr) else f"{arm.lr:.3g}",
        "source": [arm.runs[0].lr_source, *others] if study.noun != "loss" else [],
        "basin": _decades(basin(arms(study, v.task)[arm.contender], initial(study, v.task))) if grid else "",
        "trouble": arm.trouble,
        "reason": arm.reason,
    }


def _overview(study: Study, seen: list[TaskNote]) -> list[dict[str, Any]]:
    """One row a contender: its result on every task and the mean of how far it is behind."""
    short = {task.name: regrets(study, task) for task in seen}
    verdicts = {task.name: verdict(study, task) for task in seen}
    rows = []
    for name in study.contenders:
        if not all(name in by for by in short.values()):
            continue
        cells = []
        for task in seen:
            v = verdicts[task.name]
            arm = next(arm for arm in v.ranked if arm.contender == name)
            behind = short[task.name][name]
            cells.append(
                {
                    "final": arm.trouble or mean_and_deviation(task.metric, *arm.summary()[1:]),
                    "best": arm is v.winner,
                    "tied": name in v.tied,
                    "behind": behind,
                    "percent": _percent(behind),
                }
            )
        mean = sum(cell["behind"] for cell in cells) / len(cells)
        rows.append({"name": name, "cells": cells, "mean": mean, "percent": _percent(mean)})
    return sorted(rows, key=lambda row: row["mean"])


def _gap(task: TaskNote, gap: Gap) -> tuple[str, str]:
    """The distance to the winner, and its interval."""
    size, low, high = difference(task.metric, gap.difference, gap.low, gap.high)
    words = f"{size} points" if task.metric.share else f"+{size}"
    return words, "" if math.isnan(gap.low) else f"{low} to {high}"


def _split(shown: str) -> tuple[str, str]:
    """A mean and its deviation apart: "41.2 ± 0.5 %" is ("41.2 %", "± 0.5")."""
    mean, sign, deviation = shown.partition(" ± ")
    if not sign:
        return shown, ""
    return (f"{mean} %", f"± {deviation[:-2]}") if deviation.endswith(" %") else (mean, f"± {deviation}")


def _trained_by(study: Study) -> str:
    """What all runs have in common, where one optimizer or one loss was asked for beside several of the other."""
    losses, precisions = study.settings.get("losses", ()), study.settings.get("precision", ())
    formats = [f"{key} {study.settings[key]}" for key in ("state", "weights") if study.settings.get(key)]
    held = f"in {', '.join([*precisions, *formats])}" if len(precisions) == 1 else ", ".join(formats)
    if study.noun == "loss":
        return f"trained by {study.settings['optimizers'][0]} {held}".strip()
    return f"trained with {losses[0]} {held}".strip() if len(losses) == 1 else held


def _code(text: str) -> Any:
    """The text with what stands between backticks set as code."""
    import markupsafe

    return markupsafe.Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(markupsafe.escape(text))))


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.1f} %" if 0 < share < 0.0995 else f"{100 * share:.0f} %"


def _decades(width: float) -> str:
    return "–" if math.isnan(width) else f"{width:.1f}"
