"""The built-in tasks, by name."""

from __future__ import annotations

import importlib

from gradwright.study.tasks.task import Task
from gradwright.study.tasks.unknown import unknown

_PLACES = {
    "digits-mlp": ("digits_mlp", "TASK"),
    "digits-shallow": ("digits_mlp", "SHALLOW"),
    "digits-batch-4": ("digits_mlp", "TINY_BATCHES"),
    "digits-wide": ("digits_mlp", "WIDE"),
    "digits-vae": ("digits_vae", "TASK"),
    "zipf-noise": ("zipf_noise", "TASK"),
    "zipf-noise-validation": ("zipf_noise", "VALIDATION"),
    "stdlib-gpt": ("stdlib_gpt", "TASK"),
    "stdlib-gpt-no-norm": ("stdlib_gpt", "NO_NORM"),
    "stdlib-gpt-post-norm": ("stdlib_gpt", "POST_NORM"),
    "stdlib-gpt-1m": ("stdlib_gpt", "MILLION"),
    "raw-logistic": ("raw_logistic", "TASK"),
    "siren": ("siren", "TASK"),
    "counts": ("counts", "TASK"),
}


SUITE = (
    "digits-shallow",
    "digits-batch-4",
    "digits-wide",
    "digits-mlp",
    "raw-logistic",
    "siren",
    "counts",
    "zipf-noise",
    "digits-vae",
    "stdlib-gpt",
    "stdlib-gpt-no-norm",
    "stdlib-gpt-post-norm",
)
"""Tasks whose best learning rates lie three decades apart: what ``--task suite`` stands for."""


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
