"""Measure run by run: what is stored already, with the same settings and data, is not run again."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradwright
from gradwright.study import compare, tasks
from gradwright.study.record.environment import environment
from gradwright.study.record.study import RunRecord
from gradwright.study.runs.arguments import read_nuisances
from gradwright.study.runs.contenders import contenders
from gradwright.study.runs.run import main_group
from untuned.run import Key, Run
from untuned.settings import digest, settings_of
from untuned.store import keep, load

EVALUATIONS = 20
FORMS = {"Surefoot-factored": gradwright.thrifty(gradwright.Surefoot).bind(moment="factored")}
"""What no single name stands for, by what it is called here."""


def keys(
    names: Sequence[str],
    optimizers: Sequence[str],
    seeds: Sequence[int],
    nuisances: Sequence[str] = ("",),
    factors: Sequence[float] = (1.0,),
) -> list[Key]:
    """Everything that is to be measured, seed by seed, so that what is there early covers all tasks."""
    return [
        Key(name, _canonical(name, nuisance), optimizer, factor, seed)
        for seed in seeds
        for nuisance in nuisances
        for factor in factors
        for name in names
        for optimizer in optimizers
    ]


def measure(folder: Path, wanted: Sequence[Key]) -> Iterator[Run]:
    """The runs that were missing, each stored before it is handed over; a kill loses one."""
    for key in wanted:
        if not known(folder, key):
            run, settings = _carry_out(key)
            keep(folder, run, _environment(key.task), settings)
            yield run


def known(folder: Path, key: Key) -> bool:
    """Whether this run is stored, of the optimizer as it is now, on the data that this machine has."""
    found = load(folder, key.task)
    run = found.runs.get(key)
    return (
        run is not None
        and run.settings == digest(_untouched(key.task, key.optimizer)[0])
        and found.data_of(run) == dict(tasks.find(key.task).data())
    )


def _carry_out(key: Key) -> tuple[Run, str]:
    settings, rate = _untouched(key.task, key.optimizer)
    study = compare(
        key.task,
        _entered(key.optimizer),
        nuisance=key.nuisance or None,
        seeds=[key.seed],
        lr=None if key.factor == 1 else rate * key.factor,
        evaluations=EVALUATIONS,
        threads=1,
        progress=False,
    )
    (record,) = study.runs
    return _run(key, record, study.tasks[0].metric.name, digest(settings)), settings


def _run(key: Key, record: RunRecord, metric: str, settings: str) -> Run:
    curve = tuple((point.step, point.metrics[metric]) for point in record.points)
    return Run(
        key, record.status, record.reason, record.steps, curve, record.state_bytes_per_parameter, settings, place=0
    )


def _entered(optimizer: str) -> Any:
    return {optimizer: FORMS[optimizer]} if optimizer in FORMS else optimizer


@functools.cache
def _untouched(task: str, optimizer: str) -> tuple[str, float]:
    """The settings of an optimizer on a task, and its learning rate."""
    (contender,) = contenders(_entered(optimizer))
    made = contender.build(tasks.find(task).begin(0).model)
    return settings_of(made), float(made.param_groups[main_group(made, contender.recipe)]["lr"])


@functools.cache
def _environment(task: str) -> dict[str, object]:
    """With what a run was made; the time is not part of it."""
    found = {name: value for name, value in environment().items() if name != "date"}
    return {**found, "threads": 1, "data": dict(tasks.find(task).data())}


def changed(task: str, nuisance: str) -> str:
    """The name of a task with a nuisance, as ``compare`` calls it."""
    (found,) = read_nuisances(nuisance or None, [tasks.find(task)])
    return found.name


def _canonical(task: str, nuisance: str) -> str:
    return changed(task, nuisance).removeprefix(task).strip("[]")
