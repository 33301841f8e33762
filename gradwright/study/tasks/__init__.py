"""The built-in tasks, by name."""

from __future__ import annotations

import importlib

from gradwright.study.task import Task

_MODULES = {
    "digits-mlp": "digits_mlp",
    "digits-vae": "digits_vae",
    "zipf-noise": "zipf_noise",
    "stdlib-gpt": "stdlib_gpt",
}


def names() -> tuple[str, ...]:
    """The names of the built-in tasks."""
    return tuple(_MODULES)


def find(name: str) -> Task:
    """The built-in task of this name.

    Raises:
        ValueError: no task has this name; the message lists the nearest.
    """
    from gradwright.study.names import unknown

    if name not in _MODULES:
        raise unknown("task", name, _MODULES)
    return importlib.import_module(f".{_MODULES[name]}", __package__).TASK
