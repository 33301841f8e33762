"""What a user asks a comparison for, read and checked before anything runs."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gradwright.study import tasks as builtin
from gradwright.study.runs.budget import Budget
from gradwright.study.runs.criteria import Loss
from gradwright.study.runs.losses import losses as losses_of
from gradwright.study.tasks.labels import check_label
from gradwright.study.tasks.loaders import from_loaders
from gradwright.study.tasks.nuisance import read_nuisance, with_nuisance, written
from gradwright.study.tasks.task import Task

MOST_SEEDS = 10_000


def read_tasks(task: Any) -> list[Task]:
    """The tasks of a name, several names, a task, or a model with its loaders."""
    if isinstance(task, tuple) and len(task) == 4 and not any(isinstance(each, str | Task) for each in task):
        return [from_loaders(*task)]
    if isinstance(task, str):
        task = [name for word in task.split(",") if word.strip() for name in _names(word.strip())]
    many = task if isinstance(task, Iterable) else [task]
    found = [builtin.find(each) if isinstance(each, str) else each for each in many]
    if not found:
        raise ValueError(f"task is empty: name at least one of {', '.join(builtin.names())}")
    for each in found:
        if not isinstance(each, Task):
            raise TypeError(
                f"task is {each!r}: give a name, a gradwright.study.Task, or "
                f"(model_factory, train_loader, validation_loader, loss_fn)"
            )
    names = [check_label("a task", each.name) for each in found]
    for each in found:
        for metric in each.metrics:
            check_label(f"a metric of {each.name}", metric.name)
            check_label(f"a metric of {each.name}", metric.label)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"task names {twice!r} twice: name it once")
    return found


def _names(word: str) -> tuple[str, ...]:
    return builtin.COLUMNS.get(word, (word,))


def read_nuisances(nuisance: str | Mapping[str, float] | None, tasks: Sequence[Task]) -> list[Task]:
    """The tasks with what shall not matter added to each."""
    if nuisance is None:
        return list(tasks)
    changes = read_nuisance(written(nuisance) or "")
    return [with_nuisance(task, changes) for task in tasks]


def read_losses(losses: Any, tasks: Sequence[Task]) -> tuple[Loss, ...]:
    """The losses to train with; none for the tasks' own."""
    if losses is None:
        return ()
    found = losses_of(losses)
    for task in tasks:
        if not task.judge:
            able = [name for name in builtin.names() if builtin.find(name).judge]
            raise ValueError(
                f"losses: the task {task.name!r} trains by a loss of its own, {task.metric.label}, which no loss of "
                f"logits and labels can replace: leave losses out, or choose {', '.join(able)}"
            )
    return found


def read_seeds(seeds: int | Sequence[int], first: int) -> list[int]:
    """The numbers of the seeds."""
    first = whole("first_seed", first)
    if isinstance(seeds, Iterable):
        numbers = [whole("seeds", seed) for seed in seeds]
    else:
        count = whole("seeds", seeds)
        if count > MOST_SEEDS:
            raise ValueError(f"seeds={count} is more than the {MOST_SEEDS} that a study can hold: ask for fewer")
        numbers = list(range(first, first + count))
    if not numbers:
        raise ValueError(f"seeds={seeds!r} leaves nothing to run: give at least 1 (three show the noise)")
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"seeds={seeds!r} holds a seed twice, which would be the same run twice")
    return numbers


def whole(name: str, value: Any) -> int:
    """A whole number, of whatever type, as Python's own.

    Raises:
        ValueError: it is none.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name}={value!r} is not a whole number") from None


def read_threads(threads: int | None) -> int | None:
    """How many threads; no more than a process can have.

    Raises:
        ValueError: none, or so many that starting them would end the process.
    """
    if threads is None:
        return None
    cores = os.cpu_count() or 1
    count, most = whole("threads", threads), max(64, 4 * cores)
    if count < 1:
        raise ValueError(f"threads={count} must be at least 1")
    if count > most:
        raise ValueError(
            f"threads={count} must be at most {most}: this machine has {cores} processors, and more threads than that "
            f"only wait for one another; threads=1 is steadiest"
        )
    return count


def read_budget(task: Task, steps: int | None, budget: int | str | Budget | None) -> Budget:
    """The budget of a task's runs: what was asked for, or the task's own."""
    if steps is not None and budget is not None:
        raise ValueError(f"steps={steps} and budget={budget!r} say the same thing twice: give one")
    value = next((each for each in (steps, budget, task.steps) if each is not None), None)
    if value is None:
        raise ValueError(f"the task {task.name!r} has no usual length: give steps=300 or budget='20s'")
    return Budget.parse(value)


def read_rates(lr: float | None, grid: str | Sequence[float] | None) -> str | list[float] | None:
    """The learning rates to try: "auto", a sorted list, or None for each optimizer's default."""
    if lr is not None and grid is not None:
        raise ValueError(f"lr={lr} and lr_grid={grid!r} contradict each other: give one")
    if lr is not None:
        grid = [lr]
    if grid is None or (isinstance(grid, str) and grid.strip() == "auto"):
        return grid and "auto"
    name = "lr_grid" if lr is None else "lr"
    try:
        rates = [float(rate) for rate in (grid.split(",") if isinstance(grid, str) else grid)]
    except ValueError:
        raise ValueError(f"{name}={grid!r} is not a list of numbers: write 1e-4,1e-3,1e-2 or 'auto'") from None
    if not rates:
        raise ValueError(f"{name} is empty: write 1e-4,1e-3,1e-2 or 'auto'")
    if wrong := [rate for rate in rates if not (0 < rate < math.inf)]:
        raise ValueError(f"{name} holds {wrong[0]}: a learning rate is positive and finite")
    return sorted(set(rates))
