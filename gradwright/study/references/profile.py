"""The performance profile: on how many of the tasks a contender comes within a given regret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradwright.study.references.bootstrap import drawn, interval
from gradwright.study.references.outcome import Outcome, references_of, shares


@dataclass(frozen=True)
class Profile:
    r"""The share of tasks whose mean regret is at most r, as a function of r.

    Args:
        contender: its label.
        at: the regrets r at which it is known, rising.
        share: of tasks.
        low, high: a 95 % interval at each r by itself: tasks are drawn anew, and seeds within each.
    """

    contender: str
    at: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


def profiles(runs: Sequence[Outcome], at: Sequence[float]) -> list[Profile]:
    """The profiles of all contenders over tasks with a reference (arXiv:2108.13264, with means of seeds for runs).

    Args:
        runs: at settings that nobody tuned.
        at: the regrets to count at, as shares.
    """
    where = np.asarray(at, dtype=float)
    found = shares(runs, references_of(runs))
    return [_profile(contender, list(tasks.values()), where) for contender, tasks in found.items()]


def _profile(contender: str, tasks: Sequence[Sequence[float]], at: np.ndarray) -> Profile:
    means = np.array([np.mean(seeds) for seeds in tasks])
    again = drawn([tasks])[0]
    within = np.stack([(again <= r).mean(1) for r in at], axis=1)
    low, high = interval(within)
    return Profile(contender, at, (means[:, None] <= at).mean(0), low, high)
