"""The bootstrap of two levels: tasks are drawn anew, and seeds within each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradwright.study.tasks.seeding import derive

DRAWS = 10_000
LEVEL = 0.95


def drawn(arms: Sequence[Sequence[Sequence[float]]]) -> np.ndarray:
    """What the tasks of a suite might as well have given, ``(arms, draws, tasks)``.

    Tasks are drawn once for all arms, since arms are compared task by task. Seeds are drawn for each arm by itself:
    final losses at equal seeds are uncorrelated.

    Args:
        arms: for each arm, for each task (the same ones, in the same order) the values of its seeds.
    """
    tasks = len(arms[0])
    rng = np.random.default_rng(derive("regret", tasks) % 2**63)
    means = np.stack([np.stack([_seed_means(seeds, rng) for seeds in arm], axis=1) for arm in arms])
    chosen = rng.integers(tasks, size=means.shape[1:])
    return np.take_along_axis(means, chosen[None], axis=2)


def _seed_means(seeds: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    return np.asarray(seeds)[rng.integers(len(seeds), size=(DRAWS, len(seeds)))].mean(1)


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % percentile interval along the first dimension."""
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(values, (edge, 1 - edge), axis=0)
    return low, high
