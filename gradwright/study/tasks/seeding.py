"""Random numbers that depend on what they are for, and on nothing else."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import numpy as np
import torch


def derive(*key: object) -> int:
    """A 63-bit seed from the words of ``key``: the same in every process, on every machine, in any order of runs.

    >>> derive("digits-mlp", 0, "weights") == derive("digits-mlp", 0, "weights")
    True
    >>> derive("digits-mlp", 0, "weights") == derive("digits-mlp", 0, "batches")
    False
    """
    digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*key: object) -> torch.Generator:
    """A torch generator seeded by :func:`derive`."""
    return torch.Generator().manual_seed(derive(*key))


class RandomStream:
    """A private stream of the global random numbers of torch, NumPy and Python.

    Inside ``with stream:`` the global generators continue this stream, outside they are what they were. So a
    model is drawn, or a shuffling loader advanced, the same way whatever else has used random numbers meanwhile.
    """

    def __init__(self, *key: object) -> None:
        self._seed = derive(*key)
        self._state: Any = None
        self._outer: Any = None

    def __enter__(self) -> RandomStream:
        self._outer = _capture()
        if self._state is None:
            torch.manual_seed(self._seed)
            np.random.seed(self._seed % 2**32)
            random.seed(self._seed)
        else:
            _restore(self._state)
        return self

    def __exit__(self, *exception: object) -> None:
        self._state = _capture()
        _restore(self._outer)


def _capture() -> tuple[Any, ...]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    return torch.get_rng_state(), np.random.get_state(), random.getstate(), cuda


def _restore(state: tuple[Any, ...]) -> None:
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])
    random.setstate(state[2])
    if state[3] is not None:
        torch.cuda.set_rng_state_all(state[3])
