"""Draws: the keys of random bits for many parameters at once; see :mod:`gradwright.core.counter`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradwright.core.counter import mixed


def keys_of(indices: np.ndarray, steps: Sequence[float], seed: int = 0) -> np.ndarray:
    """The keys of parameters at their steps, as ``counter.key_of`` has them.

    Args:
        indices: their places among the parameters of their optimizer.
        steps: how many steps each has taken, this one included; a single number where they are alike.
        seed: another one gives other bits.
    """
    taken = np.asarray(steps, np.float64).astype(np.int64)
    return mixed(mixed(np.asarray(indices, np.int64) + mixed(seed)) + taken)
