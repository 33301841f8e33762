"""The built-in tasks, by name."""

from __future__ import annotations

import importlib

from gradwright.study.tasks.task import Task
from gradwright.study.tasks.unknown import unknown

_PLACES = {
    "digits-mlp": ("digits_mlp", "TASK"),
    "digits-vae": ("digits_vae", "TASK"),
    "zipf-noise": ("zipf_noise", "TASK"),
    "zipf-noise-validation": ("zipf_noise", "VALIDATION"),
    "stdlib-gpt": ("stdlib_gpt", "TASK"),
}


def names() -> tuple[str, ...]:
    """The names of the built-in tasks."""
    return tuple(_PLACES)


def find(name: str) -> Task:
    """The built-in task of this name.

    Raises:
        ValueError: no task has this name; the message lists the nearest.
    """
    if name not in _PLACES:
        raise unknown("task", name, _PLACES)
    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(f".{module}", __package__), attribute)
