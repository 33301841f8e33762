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
    "digits-mlp-17": ("digits_mlp", "DEEP"),
    "digits-label-noise": ("measured.digits_conv", "LABEL_NOISE"),
    "digits-batch-norm": ("measured.digits_conv", "BATCH_NORM"),
    "digits-vit": ("measured.digits_vit", "PRE_NORM"),
    "digits-vit-post-norm": ("measured.digits_vit", "POST_NORM"),
    "digits-continued": ("measured.digits_fine_tuning", "CONTINUED"),
    "digits-shifted": ("measured.digits_fine_tuning", "SHIFTED"),
    "digits-ddpm": ("measured.digits_ddpm", "TASK"),
    "stdlib-words": ("measured.stdlib_words", "TASK"),
    "topics-gru": ("measured.topics_gru", "TASK"),
    "recommender": ("measured.recommender", "TASK"),
    "oscillator-pinn": ("frozen.oscillator_pinn", "TASK"),
    "adding-lstm": ("frozen.adding_lstm", "TASK"),
    "photo-denoiser": ("frozen.photo_denoiser", "TASK"),
    "digits-contrastive": ("frozen.digits_contrastive", "TASK"),
    "mixture-density": ("frozen.mixture_density", "TASK"),
    "diabetes-quantiles": ("frozen.diabetes_quantiles", "TASK"),
    "graph-distances": ("frozen.graph_distances", "TASK"),
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
"""Tasks whose best learning rates lie three decades apart; settings of the library were chosen on tasks like these."""

MEASURED = (
    "digits-mlp-17",
    "digits-label-noise",
    "digits-batch-norm",
    "digits-vit",
    "digits-vit-post-norm",
    "digits-continued",
    "digits-shifted",
    "digits-ddpm",
    "stdlib-words",
    "topics-gru",
    "recommender",
)
"""Tasks that are only measured: no setting is chosen on them."""

FROZEN = (
    "oscillator-pinn",
    "adding-lstm",
    "photo-denoiser",
    "digits-contrastive",
    "mixture-density",
    "diabetes-quantiles",
    "graph-distances",
)
"""Tasks like none of the others. An optimizer of the library runs on them once, after its settings were fixed for good:
who has looked at the outcome and then changes a setting has to move them to ``MEASURED``."""

COLUMNS = {"suite": SUITE, "suite-measured": MEASURED, "suite-frozen": FROZEN}
"""What stands for several tasks on the command line: columns of a table, which no mean should mix."""


def names() -> tuple[str, ...]:
    """The names of the built-in tasks."""
    return tuple(_PLACES)


def column(name: str) -> str:
    """The key of ``COLUMNS`` under which a task stands, whatever nuisance is added to it; empty for a task of none.

    >>> column("siren"), column("siren[loss=0.001]"), column("my own")
    ('suite', 'suite', '')
    """
    plain = name.partition("[")[0]
    return next((key for key, inside in COLUMNS.items() if plain in inside), "")


def find(name: str) -> Task:
    """The built-in task of this name.

    Raises:
        ValueError: no task has this name; the message lists the nearest.
    """
    if name not in _PLACES:
        raise unknown("task", name, _PLACES)
    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(f".{module}", __package__), attribute)
