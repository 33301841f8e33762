"""Which measured runs are summed up together: by what their task was used for, and by what was changed."""

from __future__ import annotations

from collections.abc import Sequence

from gradwright.study.tasks import COLUMNS, column
from untuned.run import Run
from untuned.store import TaskFile

UNTOUCHED, HORIZONS, NUISANCES = "untouched", "horizons", "nuisances"


def measurement(run: Run) -> str:
    """What was changed: the factor of the learning rate, the number of steps, something else, or nothing."""
    if run.key.factor != 1:
        return f"learning rate x {run.key.factor:g}"
    if not run.key.nuisance:
        return UNTOUCHED
    return HORIZONS if run.key.nuisance.startswith("steps=") and "," not in run.key.nuisance else NUISANCES


def measurements(files: Sequence[TaskFile]) -> dict[str, list[Run]]:
    """The runs by what was changed: untouched first, then by name."""
    found: dict[str, list[Run]] = {}
    for run in (run for file in files for run in file.runs.values()):
        found.setdefault(measurement(run), []).append(run)
    return {name: found[name] for name in sorted(found, key=lambda name: (name != UNTOUCHED, name))}


def by_column(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs by the column of their task, which no mean should mix."""
    found: dict[str, list[Run]] = {key: [] for key in (*COLUMNS, "")}
    for run in runs:
        found[column(run.key.task)].append(run)
    return {key: some for key, some in found.items() if some}


def data_of(files: Sequence[TaskFile]) -> dict[str, dict[str, str]]:
    """The hashes of the data that the runs of each task had, by the name with its nuisance; the last run speaks."""
    return {run.key.changed_task: dict(file.data_of(run)) for file in files for run in file.runs.values()}


def unlike(files: Sequence[TaskFile]) -> set[str]:
    """The optimizers of which some runs are of other settings or code than the rest."""
    seen: dict[str, dict[str, set[str]]] = {}
    for file in files:
        for run in file.runs.values():
            for group in file.settings[run.settings].split("; "):
                seen.setdefault(run.key.optimizer, {}).setdefault(group.partition("(")[0], set()).add(group)
    return {optimizer for optimizer, groups in seen.items() if any(len(said) > 1 for said in groups.values())}
