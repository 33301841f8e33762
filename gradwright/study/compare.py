"""Tasks x optimizers x losses x learning rates x seeds, one run after another."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from gradwright.core.warn import warn_user
from gradwright.study.record.environment import environment
from gradwright.study.record.files import vacant, writable
from gradwright.study.record.study import RunRecord, Study, TaskNote
from gradwright.study.report.page import require
from gradwright.study.report.save import FILES, save
from gradwright.study.runs.arguments import (
    read_budget,
    read_losses,
    read_nuisances,
    read_rates,
    read_seeds,
    read_tasks,
    read_threads,
    whole,
)
from gradwright.study.runs.budget import SCHEDULES, Budget
from gradwright.study.runs.contenders import Contender, contenders, held, pairs
from gradwright.study.runs.precision import read_formats, read_precision
from gradwright.study.runs.progress import Job, Watcher, watcher
from gradwright.study.runs.run import EVALUATIONS, Training, main_group
from gradwright.study.tasks.nuisance import written
from gradwright.study.tasks.task import Task
from gradwright.study.tasks.unknown import unknown

HALF_DECADES = (-1.0, -0.5, 0.0, 0.5, 1.0)


def compare(
    task: Any,
    optimizers: Any,
    *,
    losses: Any = None,
    nuisance: str | Mapping[str, float] | None = None,
    precision: str | Sequence[str] | None = None,
    state: str | None = None,
    weights: str | None = None,
    seeds: int | Sequence[int] = 3,
    first_seed: int = 0,
    steps: int | None = None,
    budget: int | str | Budget | None = None,
    lr: float | None = None,
    lr_grid: str | Sequence[float] | None = None,
    schedule: str = "constant",
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    evaluations: int = EVALUATIONS,
    progress: bool | Watcher = True,
    watch: bool = False,
) -> Study:
    """Train the same model on the same data with several optimizers or losses, and say who won and how sure that is.

    At a given seed everyone starts from the same weights and sees the same batches; seeds are derived from
    the task's name and the number of the seed, so a run is the same in any process and any order. Each optimizer
    runs at its own default learning rate unless another is asked for. Runs follow one another in this process. A run
    that raises is marked failed, one whose loss is not finite or ends worse than it began is marked diverged, one that
    ends no better is marked "no progress"; none stops the others. Ctrl-C ends the study and keeps the finished runs.

    Args:
        task: the name of a built-in task (:func:`gradwright.study.tasks.names`), several as a list or with commas
            between, "suite" or another key of :data:`gradwright.study.tasks.COLUMNS` for a dozen of them, a
            :class:`Task`, or ``(model_factory, train_loader, validation_loader,
            loss_fn)`` where the loaders give pairs (input, target) and the loss takes (output, target).
        optimizers: names ("AdamW", "torch:SGD", "all"), recipe classes, bound recipes, functions from a model to a
            ``torch.optim.Optimizer``; a list, or with commas between, or a dictionary {label: any of these}.
        losses: train with these instead of the task's own loss, every optimizer with every loss: names of
            :data:`gradwright.losses.LOSSES` ("tailr"; "ce"), with settings ("gce(q=0.3)", "exact(sigma=10:1)"),
            modules, or functions of (logits, target); a list, or with commas between, or a dictionary {label: any of
            these}. The task must have logits and labels, and then ranks by the metric that is its judge of losses:
            accuracy, or ``loss_fn`` where loaders were given. A setting ``a:b`` moves from a to b over the run in
            equal ratios; ``weight=balanced`` counts every class alike. "exact" runs as its authors run it:
            standardised logits, sigma from 10 to 1, gradients divided by a running mean of their norm.
        nuisance: what should not matter, added to every task: "loss=1e-6,init=0.25", or a dictionary. Keys are loss,
            init, input, weights and steps, which are factors, and batch, a number of samples.
        precision: "fp32", "bf16" or "fp16": the type in which models are held and computed, gradients too; losses are
            float32. Several, "fp32,bf16", train every optimizer in each, so that the cost shows.
        state, weights: how recipes hold their state ("8bit", "bfloat16", ...) and half-precision weights ("split24",
            "split32", "stochastic"); beside models in half precision, those in float32 stay as they are.
        seeds: how many seeds (at least 1), or which.
        first_seed: the first of them where ``seeds`` is a number; fresh seeds are a fresh sample.
        steps, budget: the budget of a run: steps, or a string such as "300 steps" or "20s" (seconds of training by
            the clock). Default: the task's own; loaders have none, so say it.
        lr: one learning rate for all optimizers (positive).
        lr_grid: learning rates to try (positive), or "auto": half-decades up to ten times around each default.
        schedule: "constant", "linear", "cosine" or "warmup-cosine" (5 % warm-up), over the budget.
        out: folder for ``index.html``, ``results.json``, ``runs.csv`` and ``curves.csv``; None writes nothing. Where it
            holds a report, the files go to a new folder beside it, with a warning.
        overwrite: whether they take the place of a report that is there.
        threads: torch threads during the study, at most 64 or four a processor; None: as they are.
        evaluations: evaluations a run (at least 1), besides the one before the first step.
        progress: True: live on a terminal, lines elsewhere; False: nothing; or a :class:`Watcher`.
        watch: whether each run is watched, and the page says what is wrong with it. Runs and results stay the same;
            their times have the probes in them.

    Returns:
        A :class:`Study`: ``runs`` with their curves, ``tasks``, ``environment``, ``files``; :func:`show` prints it.
        Where the files cannot be written at the end, which warns, ``files`` is empty.

    Raises:
        ValueError, TypeError: an unknown name (with the nearest), an empty list, a folder that cannot be written, a
            number out of its range: always before the first run.

    >>> import torch
    >>> from gradwright.study import compare
    >>> x = torch.linspace(-1, 1, 64)[:, None]
    >>> pairs = [(x, 3 * x)] * 4
    >>> sgd = lambda model: torch.optim.SGD(model.parameters(), lr=0.1)
    >>> study = compare((lambda: torch.nn.Linear(1, 1), pairs, pairs, torch.nn.functional.mse_loss),
    ...                 {"SGD": sgd, "AdamW": "torch:AdamW"}, steps=50, seeds=2, progress=False)
    >>> [run.status for run in study.runs]
    ['finished', 'finished', 'finished', 'finished']
    """
    chosen = read_nuisances(nuisance, read_tasks(task))
    criteria = read_losses(losses, chosen)
    if criteria:
        chosen = [each.judged() for each in chosen]
    precisions = read_precision(precision)
    formats = read_formats(state, weights, precisions)
    entered = held(pairs(contenders(optimizers), criteria), precisions, formats)
    numbers = read_seeds(seeds, first_seed)
    budgets = {each.name: read_budget(each, steps, budget) for each in chosen}
    grid = read_rates(lr, lr_grid)
    if schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    threads, evaluations = read_threads(threads), whole("evaluations", evaluations)
    if evaluations < 1:
        raise ValueError(f"evaluations={evaluations} must be at least 1")
    notes = tuple(_note(each, budgets[each.name]) for each in chosen)
    folder = None
    if out is not None:
        require()
        folder = writable(out, FILES, "Nothing was trained")
        if not overwrite and (free := vacant(folder, "results.json")) != folder:
            warn_user(f"{folder} holds a report, which stays; this one goes to {free}; overwrite=True replaces it")
            folder = writable(free, FILES, "Nothing was trained")

    runs: list[RunRecord] = []
    interrupted, illustrations = False, {}
    with _threads(threads):
        jobs = [
            Job(each, contender, seed, rate, source)
            for seed in numbers
            for each in chosen
            for contender in entered
            for rate, source in _rates(each, contender, grid)
        ]
        try:
            with watcher(progress) as seer:
                for record in _carry_out(jobs, budgets, {"schedule": schedule, "watch": watch}, evaluations, seer):
                    runs.append(record)
            if folder is not None:
                illustrations = {each.name: found for each in chosen if (found := _illustrated(each, numbers[0]))}
        except KeyboardInterrupt:
            interrupted = True
        study = Study(
            tasks=notes,
            runs=tuple(runs),
            settings={
                "contenders": [contender.name for contender in entered],
                "optimizers": list(dict.fromkeys(contender.optimizer or contender.name for contender in entered)),
                "losses": [loss.name for loss in criteria],
                "loss_notes": [loss.note for loss in criteria if loss.note],
                "nuisance": written(nuisance),
                "precision": precisions,
                **formats,
                "seeds": numbers,
                "lr": None if lr is None else float(lr),
                "lr_grid": grid if lr is None else None,
                "schedule": schedule,
                "evaluations": evaluations,
                "watch": bool(watch),
                "budget": next((str(each) for each in (steps, budget) if each is not None), None),
                "named": all(contender.named for contender in entered),
            },
            environment=environment(),
            interrupted=interrupted,
            planned=len(jobs),
            illustrations=illustrations,
        )
    if folder is None:
        return study
    try:
        return save(study, folder)
    except ValueError as error:  # the study may be the work of a night
        warnings.warn(f"{error}. The study is returned; its files stay empty", stacklevel=2)
        return study


def _carry_out(
    jobs: Sequence[Job], budgets: Mapping[str, Budget], options: Mapping[str, Any], evaluations: int, watch: Watcher
) -> Iterator[RunRecord]:
    """Run the jobs one after another; a record is handed over before anything else happens."""
    warm: set[tuple[str, str]] = set()
    watch.plan(jobs)
    for job in jobs:
        watch.start(job)
        what, budget = (job.task, job.contender, job.seed), budgets[job.task.name]
        given = {"lr": job.lr, "lr_source": job.lr_source, **options}
        if budget.seconds and (pair := (job.task.name, job.contender.name)) not in warm:
            _train(Training(*what, Budget(steps=2), evaluations=1, **given), Watcher())  # compiles off the clock
            warm.add(pair)
        record = _train(Training(*what, budget, evaluations=evaluations, **given), watch)
        yield record
        watch.finish(record)


def _train(training: Training, watch: Watcher) -> RunRecord:
    with contextlib.closing(iter(training)) as ticks:
        for tick in ticks:
            watch.tick(tick)
    return training.record()


def _rates(task: Task, contender: Contender, grid: str | list[float] | None) -> list[tuple[float | None, str]]:
    """The learning rates of a contender, and who chose each; None is its default."""
    if grid is None:
        return [(None, "")]
    if isinstance(grid, list):
        return [(rate, "set for all" if len(grid) == 1 else "from the grid") for rate in grid]
    try:
        optimizer = contender.begin(task.begin(0).model)
        default = float(optimizer.param_groups[main_group(optimizer, contender.recipe)]["lr"])
    except Exception:  # the run itself will say what is wrong
        return [(None, "")]
    return [
        (None, "") if power == 0 else (float(f"{default * 10**power:.3g}"), "from the grid") for power in HALF_DECADES
    ]


def _illustrated(task: Task, seed: int) -> Mapping[str, Any]:
    """The pictures that a task has beside its runs; a study does not fall with them."""
    if task.illustrate is None:
        return {}
    try:
        return task.illustrate(task, seed)
    except Exception as error:
        warnings.warn(f"{task.name} could not be illustrated ({type(error).__name__}: {error})", stacklevel=3)
        return {}


def _note(task: Task, budget: Budget) -> TaskNote:
    return TaskNote(task.name, task.description, task.metrics, str(budget), bool(budget.seconds), _data(task))


def _data(task: Task) -> dict[str, str]:
    return {str(what): str(digest) for what, digest in task.data().items()}


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        if count is not None:
            torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)
