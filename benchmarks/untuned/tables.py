"""The tables of the measured runs, as a terminal and docs/no_tuning.md show them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradwright.study.references.language import Excess, excess, in_nats
from gradwright.study.references.margin import margins
from gradwright.study.references.outcome import Outcome, references_of, shares
from gradwright.study.references.profile import profiles
from gradwright.study.references.regret import Regret, regrets_of
from gradwright.study.report.untuned import OTHERS, TITLES
from gradwright.study.tasks import find
from untuned.columns import UNTOUCHED, by_column, data_of, measurements, unlike
from untuned.run import Run
from untuned.store import TaskFile

SUBJECT = "Surefoot"
FIRST = (SUBJECT, "ScheduleFreeAdamW", "torch:AdamW")
"""Of all contenders, whom a first look shows."""
WITHIN = (0.0, 0.01, 0.02, 0.05, 0.1)
LONGER = 1.5
"""The share of the reference's steps that runs on language are also given, to see when they arrive."""


@dataclass(frozen=True)
class Table:
    """Words in rows.

    Attributes:
        title: what it shows.
        head: of the columns.
        rows: of the same length.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Lines that are readable as they are: the first column to the left, the others to the right."""
        widths = [max(map(len, words)) for words in zip(self.head, *self.rows)]
        rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
        lines = ["| " + " | ".join(_laid(line, widths)) + " |" for line in (self.head, tuple(rule), *self.rows)]
        return f"**{self.title}**\n\n" + "\n".join(lines)


def _laid(words: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [words[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(words[1:], widths[1:]))]


def tables(files: Sequence[TaskFile]) -> list[Table]:
    """Every table that the stored runs fill."""
    found, data, mixed = [], data_of(files), unlike(files)
    for name, runs in measurements(files).items():
        for key, some in by_column(runs).items():
            title = TITLES.get(key, OTHERS)
            title = f"{name}: {title[0].lower()}{title[1:]}"
            found.append(_regrets(title, some, data, mixed))
            if name == UNTOUCHED:
                outcomes = [run.outcome for run in some]
                found += [_by_task(outcomes), _margins(outcomes), _profile(outcomes)]
    return [table for table in (*found, _language(files)) if table.rows]


def summary(files: Sequence[TaskFile]) -> Table:
    """Mean and worst of the untouched contenders that a reader compares first, on each column of tasks."""
    runs = [run.outcome for run in measurements(files).get(UNTOUCHED, ())]
    made = {(each.contender, each.column): each for each in regrets_of(runs, data_of(files))}
    keys = list(dict.fromkeys(column for _, column in made))
    rows = tuple(
        (name_of(name), *(_both(made.get((name, key))) for key in keys))
        for name in FIRST
        if any((name, key) in made for key in keys)
    )
    heads = (f"{TITLES.get(key, OTHERS).lower()} ({_most(made, key)})" for key in keys)
    return Table("Regret, mean and worst, beside a tuned AdamW", ("", *heads), rows)


def _most(made: Mapping[tuple[str, str], Regret], key: str) -> int:
    return max(len(each.tasks) for (_, column), each in made.items() if column == key)


def _both(found: Regret | None) -> str:
    return "–" if found is None else f"{percent(found.mean)}, {percent(found.worst)}"


def _regrets(title: str, runs: Sequence[Run], data: dict[str, dict[str, str]], mixed: set[str]) -> Table:
    made = regrets_of([run.outcome for run in runs], data)
    count = max((len(each.tasks) for each in made), default=0)
    head = ("", "mean", "95 %", "worst", "on", "worth trials", "not finite", "tasks", "seeds")
    return Table(f"Regret, {title}", head, tuple(_row(each, runs, count, each.contender in mixed) for each in made))


def _row(each: Regret, runs: Sequence[Run], count: int, mixed: bool) -> tuple[str, ...]:
    mine = [run for run in runs if run.key.optimizer == each.contender and run.key.changed_task in each.tasks]
    worst = max(each.tasks, key=lambda task: each.tasks[task])
    return (
        name_of(each.contender) + " (of several versions)" * mixed,
        percent(each.mean),
        between(percent(each.low), percent(each.high)),
        percent(each.worst),
        worst,
        f"{each.trials:g}" if math.isfinite(each.trials) else "more than all",
        f"{each.not_finite}",
        f"{len(each.tasks)}" if len(each.tasks) == count else f"{len(each.tasks)} of {count}",
        f"{len({run.key.seed for run in mine})}",
    )


def _by_task(runs: Sequence[Outcome]) -> Table:
    found = shares(runs, references_of(runs))
    names = sorted({name for tasks in found.values() for name in tasks})
    best = sorted(found, key=lambda each: sum(map(mean, found[each].values())) / len(found[each]))
    rows = tuple((name, *(percent(mean(found[each].get(name, ()))) for each in best)) for name in names)
    return Table("Regret on each task, the mean over seeds", ("", *map(name_of, best)), rows)


def _margins(runs: Sequence[Outcome]) -> Table:
    rows = tuple(
        (
            name_of(each.rival),
            percent(each.mean, "+"),
            between(percent(each.low, "+"), percent(each.high, "+")),
            f"{each.ahead} of {len(each.tasks)}",
            f"{100 * each.probability:.0f} %",
        )
        for each in margins(runs, SUBJECT)
    )
    head = ("", "ahead by", "95 %", "tasks ahead", "a run ends lower")
    return Table(f"How far `{SUBJECT}` is ahead of each", head, rows)


def _profile(runs: Sequence[Outcome]) -> Table:
    found = sorted(profiles(runs, WITHIN), key=lambda each: -float(each.share.sum()))
    rows = tuple(
        (
            name_of(each.contender),
            *(
                f"{100 * share:.0f} ({100 * low:.0f} to {100 * high:.0f})"
                for share, low, high in zip(each.share, each.low, each.high)
            ),
        )
        for each in found
    )
    return Table("Share of the tasks, in %, within a regret of", ("", *(f"{100 * r:g} %" for r in WITHIN)), rows)


def _language(files: Sequence[TaskFile]) -> Table:
    head = ("", "", "loss", "above tuned AdamW (nats)", "95 %", "steps to its end", "95 %")
    return Table("On language", head, tuple(_excess_row(each) for file in files for each in _excesses(file)))


def _excesses(file: TaskFile) -> list[Excess]:
    """For each contender at its own settings; runs over more steps say when it arrives."""
    base = [run for run in file.runs.values() if run.key.factor == 1]
    (against,) = references_of([run.outcome for run in base if not run.key.nuisance]).values() or (None,)
    if against is None or not in_nats(find(file.task).metric):
        return []
    made = []
    for name in dict.fromkeys(run.key.optimizer for run in base):
        runs, longer = (
            [run.outcome for run in base if run.key.optimizer == name and run.key.nuisance == nuisance]
            for nuisance in ("", f"steps={LONGER:g}")
        )
        runs = [run for run in runs if run.steps == against.steps or not run.finished]
        made += [excess(name, runs, against, longer)] if runs else []
    return sorted(made, key=lambda each: each.nats)


def _excess_row(each: Excess) -> tuple[str, ...]:
    return (
        each.task,
        name_of(each.contender),
        f"{each.end:.3f}",
        signed(each.nats),
        between(signed(each.nats_low), signed(each.nats_high)),
        times(each.steps, each.given),
        between(times(each.steps_low, each.given), times(each.steps_high, each.given)),
    )


def mean(values: Sequence[float]) -> float:
    """The mean; nan of nothing."""
    return sum(values) / len(values) if values else math.nan


def name_of(optimizer: str) -> str:
    """As code."""
    return f"`{optimizer}`"


def percent(share: float, sign: str = "") -> str:
    """In per cent, with a true minus."""
    return "–" if math.isnan(share) else f"{100 * share:{sign}.1f} %".replace("-", "\u2212")


def signed(value: float) -> str:
    """With a sign, to a thousandth."""
    return f"{value:+.3f}".replace("-", "\u2212")


def times(share: float, given: float) -> str:
    """A share of the reference's steps, or that it was not there by the end."""
    return f"{share:.2f} x" if math.isfinite(share) else f"more than {given:.2g} x"


def between(low: str, high: str) -> str:
    """An interval, or its one end."""
    return low if low == high else f"{low} to {high}"
