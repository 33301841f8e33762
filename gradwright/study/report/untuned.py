"""The part of the report that sets untuned contenders beside a tuned AdamW."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from gradwright.study.record.study import Study
from gradwright.study.record.words import listing, number
from gradwright.study.references.language import Excess, excess, in_nats
from gradwright.study.references.margin import Margin, margins
from gradwright.study.references.outcome import Outcome, by_column, comparable, outcomes, references_of
from gradwright.study.references.profile import profiles
from gradwright.study.references.regret import Regret, regrets
from gradwright.study.report import untuned_figures as figures
from gradwright.study.report.svg import Shades

FEW = 3
"""Tasks below which curves of shares of tasks, and means over them, say nothing that the table does not."""


TITLES = {
    "suite": "Tasks like those on which settings of the library were chosen",
    "suite-measured": "Tasks that no setting was chosen on",
    "suite-frozen": "Tasks kept for one run after the settings were fixed",
}
OTHERS = "Other tasks"


def untuned(study: Study, colours: Shades) -> dict[str, Any] | None:
    """What the page shows of it; nothing where no task has a reference."""
    found = regrets(study)
    if not found:
        return None
    runs = outcomes(study)
    inside = by_column(runs)
    columns = itertools.groupby(found, key=lambda each: each.column)
    return {
        "columns": [_column(key, list(rows), inside[key], colours) for key, rows in columns],
        "stale": listing(sorted({name for each in found for name in each.stale})),
        "language": [_excess(each) for each in _excesses(study, runs)],
    }


def _column(key: str, found: Sequence[Regret], runs: Sequence[Outcome], colours: Shades) -> dict[str, Any]:
    """The table of one column of tasks, and what its tasks together say."""
    tasks, pictures = max(len(each.tasks) for each in found), []
    if tasks >= FEW:
        order = [each.contender for each in found]
        curves = sorted(profiles(runs, figures.profile_range(found)), key=lambda each: order.index(each.contender))
        pictures = [
            ("Every task, and the mean with its interval", figures.regrets(found, colours, key)),
            ("On how many tasks it is that near", figures.profiles(curves, colours, key)),
        ]
    return {
        "title": TITLES.get(key, OTHERS),
        "rows": [_row(each) for each in found],
        "count": tasks,
        "names": list(dict.fromkeys(name for each in found for name in each.tasks)),
        "best": found[0].contender,
        "margins": [_margin(each) for each in margins(runs, found[0].contender)] if tasks >= FEW else [],
        "pictures": pictures,
    }


def _row(found: Regret) -> dict[str, Any]:
    return {
        "name": found.contender,
        "mean": signed(found.mean),
        "interval": f"{signed(found.low)} to {signed(found.high)}",
        "worst": signed(found.worst),
        "where": max(found.tasks, key=lambda name: found.tasks[name]),
        "trials": f"{found.trials:g}" if math.isfinite(found.trials) else "more than all",
        "cells": {name: signed(share) for name, share in found.tasks.items()},
    }


def _margin(found: Margin) -> dict[str, str]:
    return {
        "name": found.rival,
        "mean": signed(found.mean),
        "interval": f"{signed(found.low)} to {signed(found.high)}",
        "ahead": f"{found.ahead} of {len(found.tasks)}",
        "probability": f"{100 * found.probability:.0f} %",
    }


def _excesses(study: Study, runs: Sequence[Outcome]) -> list[Excess]:
    """Of every contender on every task that counts in nats per symbol."""
    known = references_of(runs)
    kept = comparable(runs, known)
    made = []
    for note in study.tasks:
        for contender in study.contenders if note.name in known and in_nats(note.metric) else ():
            mine = [run for run in kept if run.task == note.name and run.contender == contender]
            made += [excess(contender, mine, known[note.name])] if mine else []
    return sorted(made, key=lambda each: (each.task, each.nats))


def _excess(found: Excess) -> dict[str, str]:
    arrives = math.isfinite(found.steps)
    return {
        "task": found.task,
        "name": found.contender,
        "end": number(found.end),
        "nats": f"{found.nats:+.3f}".replace("-", "\u2212"),
        "interval": f"{found.nats_low:+.3f} to {found.nats_high:+.3f}".replace("-", "\u2212"),
        "steps": f"{found.steps:.2f}" if arrives else f"more than {found.given:.2g}",
    }


def signed(share: float) -> str:
    """In per cent, with a true minus."""
    return f"{100 * share:.1f} %".replace("-", "\u2212")
